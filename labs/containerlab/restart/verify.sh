#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

server=105.8.10.1

# announce PREFIX, withdraw PREFIX: red's router begins or ceases to originate a prefix.
announce() { router "network $1"; }
withdraw() { router "no network $1"; }
router() { on red-router vtysh -c 'configure terminal' -c "router bgp" -c 'address-family ipv4 unicast' -c "$1"; }

# watched: whether the monitor of the node's routes sees what happens; by a route that comes and goes.
watched() {
    on node ip route add unreachable 192.0.2.255/32
    on node ip route del unreachable 192.0.2.255/32
    grep -q 192.0.2.255 "$SCRATCH/changes"
}

# alive NODE: whether its container runs.
alive() { on "$1" true; }

claim 'both gateways reach their servers'
until_true goes_by 500 105.8.11.0/24 172.16.1.140
until_true goes_by 501 105.8.10.0/24 172.16.2.140
until_true in_sync red yellow
until_true answers red-gateway $server red 10.50.0.2
until_true answers yellow-gateway $server yellow 10.50.0.4

claim 'the controller is killed under traffic: not one packet is lost while it is gone'
at_exit announce 105.8.11.0/24
at_exit withdraw 105.8.12.0/24
begin changes node ip -oneline monitor route
until_true watched
probe red red-gateway $server
probe yellow yellow-gateway $server
sends red 50
kill_node controller
if alive controller 2>/dev/null; then fail 'it lives'; fi
sends red 100
sends yellow 100

claim 'meanwhile red announces a prefix and withdraws another; nobody is there to see it'
announce 105.8.12.0/24
withdraw 105.8.11.0/24
same 172.16.1.140 "$(routes_of 500 105.8.11.0/24)" 'what was withdrawn stays'
same '' "$(routes_of 500 105.8.12.0/24)" 'what is new'

claim 'it is started: what is new comes, what was withdrawn goes, and not one packet is lost'
start_node controller
until_true goes_by 500 105.8.12.0/24 172.16.1.140
until_true goes_by 500 105.8.11.0/24
until_true in_sync red yellow
sends red 50
sends yellow 50
end red
end yellow
for network in 'red 10.50.0.2' 'yellow 10.50.0.4'; do
    name=${network% *}
    same 0 "$(tally "$name" lost)" "lost in $name"
    same "$(tally "$name" sent)" "$(tally "$name" "$network")" "answers of server $name that saw ${network#* }"
done

claim 'in all this time no route was written but the two that changed'
until_true watched
end changes
same '' "$(grep '105\.' "$SCRATCH/changes" | grep -vE '105\.8\.1[12]\.0/24' || true)" 'other changes'
[[ $(grep -c '105\.8\.12\.0/24' "$SCRATCH/changes") -ge 1 ]] || fail 'the monitor saw nothing'
