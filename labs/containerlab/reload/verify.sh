#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

server=105.8.10.1

# save FILE: put a file of later/ among the manifests, by a rename, as editors do. remove FILE: take it away.
save() {
    install -m 644 "later/$1" "config/.$1.new"
    mv "config/.$1.new" "config/$1"
}
remove() { rm -f "config/$1"; }

# begun NETWORK: how often the session with its router has come up, as the router counts.
begun() {
    on "$1-router" vtysh -c 'show bgp neighbors json' | python3 -I -S -c '
import json, sys
print(*(neighbor.get("connectionsEstablished") for neighbor in json.load(sys.stdin).values()))
'
}

# uptime NETWORK: seconds since its session is up, as the controller counts them.
uptime() {
    vrfbgp status --json | python3 -I -S -c '
import json, sys
print(*(peer["uptime"] for n in json.load(sys.stdin)["networks"] if n["name"] == sys.argv[1] for peer in n["peers"]))
' "$1"
}

# tells WORDS: whether `vrfbgp status` has these words.
tells() {
    local said
    said=$(vrfbgp status) && [[ $said == *"$*"* ]] || { echo "$said"; return 1; }
}

# silent WORDS: whether it has not.
silent() {
    local said
    said=$(vrfbgp status) && [[ $said != *"$*"* ]] || { echo "$said"; return 1; }
}

# unharmed NAME NETWORK GATEWAY UPTIME: a probe that has ended lost nothing, and the session with this router, which was
# up for so long when the watch was set to 0, never ended.
unharmed() {
    same 0 "$(tally "$1" lost)" "lost in $2"
    same "$(tally "$1" sent)" "$(tally "$1" "$2 $3")" "answers of server $2"
    same 1 "$(begun "$2")" "sessions of $2 so far"
    local now
    now=$(uptime "$2")
    ((now >= $4 + SECONDS - 1)) || fail "$2 is up for $now s, and was for $4 s, $SECONDS s ago"
}

at_exit remove blue.yaml
at_exit remove bad.yaml

claim 'the config has red and yellow, and both work; table 502 is empty'
until_true goes_by 500 105.8.10.0/24 172.16.1.140
until_true goes_by 501 105.8.10.0/24 172.16.2.140
until_true in_sync red yellow
until_true answers red-gateway $server red 10.50.0.2
until_true answers yellow-gateway $server yellow 10.50.0.4
same '' "$(routes_of 502 105.8.10.0/24)" 'table 502'
red_up=$(uptime red) yellow_up=$(uptime yellow)
SECONDS=0
probe red red-gateway $server
probe yellow yellow-gateway $server

claim 'a file with network blue is saved under traffic: blue works'
save blue.yaml
until_true goes_by 502 105.8.10.0/24 172.16.3.140
until_true answers blue-gateway $server blue 10.50.0.6

claim 'a file with a mistake is saved: status names it, and nothing changes'
before=$(on node ip rule; on node ip route show table all proto 179)
save bad.yaml
until_true tells bad.yaml
same "$before" "$(on node ip rule; on node ip route show table all proto 179)" 'rules and routes'
must_answer blue-gateway $server blue 10.50.0.6

claim 'the mistake is taken away: the config is in force again'
remove bad.yaml
until_true silent bad.yaml
until_true in_sync red yellow blue

claim 'the file with blue is removed: its routes go'
remove blue.yaml
until_true goes_by 502 105.8.10.0/24

claim 'all this time red and yellow lost not one packet, and their sessions are the first ones still'
end red
end yellow
unharmed red red 10.50.0.2 "$red_up"
unharmed yellow yellow 10.50.0.4 "$yellow_up"
