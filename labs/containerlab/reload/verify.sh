#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

server=105.8.10.1
file=config/networks.yaml
declare -A node=([red]=172.16.1.10 [yellow]=172.16.2.10) # in networks that are never edited, as their routers know it

# ages: of each of these networks the session's age, in seconds, as its router tells it and as the controller does,
# and how many sessions the router has had.
ages() {
    local name
    vrfbgp status --json >"$SCRATCH/status" || return 1
    for name in red yellow; do
        on "$name-router" vtysh -c "show bgp neighbors ${node[$name]} json" | python3 -I -S -c '
import json, sys
(router,) = json.load(sys.stdin).values()
networks = {n["name"]: n for n in json.load(open(sys.argv[1]))["networks"]}
(peer,) = networks[sys.argv[2]]["peers"]
if router["bgpState"] != "Established" or peer["uptime"] is None:
    sys.exit(f"the session of {sys.argv[2]} is not up")
print(router["bgpTimerUpMsec"] // 1000, peer["uptime"], router["connectionsEstablished"])
' "$SCRATCH/status" "$name" || return 1
    done
}

# settled: whether the sessions are older than what the clocks of two programs may differ by.
settled() {
    local router controller number
    ages >"$SCRATCH/ages" || return 1
    while read -r router controller number; do
        ((router > 3 && controller > 3)) || { cat "$SCRATCH/ages"; return 1; }
    done <"$SCRATCH/ages"
}

# begins: remember the sessions' ages; as_old: fail if one of them was begun anew since.
begins() { ages >"$SCRATCH/before"; begun_at=$SECONDS; }
as_old() {
    local router controller number router_now controller_now number_now past=$((SECONDS - begun_at - 2))
    ages >"$SCRATCH/after"
    while read -r router controller number router_now controller_now number_now; do
        same "$number" "$number_now" 'sessions that the router has had'
        ((router_now >= router + past)) || fail "$past s later the router's age of the session is $router_now after $router"
        ((controller_now >= controller + past)) || fail "$past s later status has an uptime of $controller_now after $controller"
    done < <(paste -d ' ' "$SCRATCH/before" "$SCRATCH/after")
}

# watched: wait until the monitor of the node has seen all so far; by a route that comes and goes.
marks=0
watched() { marks=$((marks + 1)) && until_true marked 192.0.2.$marks; }
marked() {
    on node ip route add unreachable "$1"/32
    on node ip route del unreachable "$1"/32
    grep -q "^Deleted unreachable $1 " "$SCRATCH/changes"
}

# written [SKIP]: what of ours has changed in the node's kernel since the first SKIP lines.
written() { tail -n "+$((${1:-0} + 1))" "$SCRATCH/changes" | grep 'proto 179' || true; }

# but_blues: of these, the routes and rules that speak neither of blue's table nor of its subnet or gateway.
but_blues() { grep -vE '^(Deleted )?id |table 502|lookup 502|172\.16\.3\.|10\.50\.0\.6' || true; }

# told FIELD LINE: whether status tells that the config is refused, and because of which file, line and field.
told() {
    local found
    found=$(vrfbgp status)
    [[ $found == *refused* && $found == *networks.yaml:$2* && $found == *$1* ]] || { echo "$found"; return 1; }
}

# accepted: whether status has nothing to say against the newest config.
accepted() {
    vrfbgp status --json | python3 -I -S -c '
import json, sys
refused = json.load(sys.stdin)["config"]["refused"]
sys.exit(str(refused) if refused else 0)
'
}

# empty TABLE: whether it has no route at all, and no rule leads to it.
empty() {
    local found
    found=$(on node ip route show table "$1" 2>/dev/null; on node ip rule show table "$1")
    [[ -z $found ]] || { echo "$found"; return 1; }
}

claim 'red and yellow work; blue is not in the config: it has no session, no table and no rule'
until_true in_sync red yellow
until_true answers red-gateway $server red 10.50.0.2
until_true answers yellow-gateway $server yellow 10.50.0.4
until_true empty 502
until_true settled
cp $file "$SCRATCH/original"
at_exit cp "$SCRATCH/original" "$PWD/$file"
begin changes node ip -oneline monitor route rule nexthop
watched
probe red red-gateway $server
probe yellow yellow-gateway $server
sends red 50
begins

claim 'blue is added to the file under traffic: it works, and no other route or rule is written'
cat edits/blue.yaml >>$file
until_true in_sync blue
until_true answers blue-gateway $server blue 10.50.0.6
watched
[[ $(written) == *'table 502'* ]] || fail "the monitor saw nothing: $(written)"
same '' "$(written | but_blues)" 'what else was written'

claim 'the sessions of red and yellow keep their uptime, as their routers and vrfbgp status tell it'
sends red 100
as_old

claim 'a bad edit changes nothing, not even what is good in it; status and reload tell file, line and field'
watched
so_many=$(wc -l <"$SCRATCH/changes")
sed -i -e 's/routeTableIndex: 501/routeTableIndex: 511/' -e 's/routeTableIndex: 502/routeTabelIndex: 502/' $file
line=$(grep -n routeTabelIndex $file | cut -d : -f 1)
until_true told routeTabelIndex "$line"
if said=$(vrfbgp reload); then fail "reload ended with 0: $said"; fi
[[ $said == *networks.yaml:$line* && $said == *routeTabelIndex* ]] || fail "reload says: $said"
watched
same '' "$(written "$so_many")" 'what was written'
until_true in_sync red yellow blue
must_answer yellow-gateway $server yellow 10.50.0.4
must_answer blue-gateway $server blue 10.50.0.6

claim 'the bad edit is taken back: the config is taken, and there was nothing to change'
sed -i -e 's/routeTableIndex: 511/routeTableIndex: 501/' -e 's/routeTabelIndex: 502/routeTableIndex: 502/' $file
vrfbgp reload >"$SCRATCH/reload" || fail "reload says: $(<"$SCRATCH/reload")"
until_true accepted
watched
same '' "$(written "$so_many")" 'what was written'

claim 'blue is taken out of the file: its session, routes and rules go, and no others'
cp "$SCRATCH/original" $file
until_true empty 502
until_true in_sync red yellow
watched
same '' "$(written | but_blues)" 'what else was written'
as_old

claim 'in all this time not one packet of red or yellow was lost'
sends red 50
sends yellow 50
end changes
end red
end yellow
for network in 'red 10.50.0.2' 'yellow 10.50.0.4'; do
    name=${network% *}
    same 0 "$(tally "$name" lost)" "lost in $name"
    same "$(tally "$name" sent)" "$(tally "$name" "$network")" "answers of server $name that saw ${network#* }"
done
