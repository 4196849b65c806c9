#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

reflector=10.99.0.2 edge=172.16.1.1 near=172.16.1.141
server=105.8.10.1 only_far=105.8.11.1 made_up=105.8.12.1

# announce PREFIX, withdraw PREFIX: the near router begins or ceases to originate a prefix.
announce() { router "network $1 route-map preferred"; }
withdraw() { router "no network $1"; }
router() { on red-near vtysh -c 'configure terminal' -c "router bgp" -c 'address-family ipv4 unicast' -c "$1"; }

# sessions: how many the reflector has had with the node, if one is up.
sessions() {
    on red-reflector vtysh -c 'show bgp neighbors 172.16.1.10 json' | python3 -I -S -c '
import json, sys
(found,) = json.load(sys.stdin).values()
if found["bgpState"] != "Established":
    sys.exit(found["bgpState"])
print(found["connectionsEstablished"])
'
}

more_than() { # NUMBER: whether the reflector has had more sessions than that
    local found
    found=$(sessions) || return 1
    ((found > $1)) || { echo "$found sessions"; return 1; }
}

# first_hops NODE ADDRESS: which routers answer on the way from a node to an address, by packets that may not go further.
first_hops() {
    local ttl
    for ttl in 2 3; do
        on "$1" ping -n -c 1 -W 5 -t "$ttl" "$2" | sed -n 's/^From \([0-9.]*\) .*exceeded.*/\1/p'
    done | paste -sd ' '
}

# explains PREFIX WORDS: whether `vrfbgp explain` says so of a prefix of network red.
explains() {
    local found
    found=$(vrfbgp explain red "$1") || true
    [[ $found == *"$2"* ]] || { echo "$found"; return 1; }
}

claim 'the peer is two hops away: its session takes the bootstrap route, and never the default route of main'
until_true in_sync red
until_true goes_by 500 10.99.0.0/16 $edge
same '' "$(on node ip route show 10.99.0.0/16)" 'routes in table main'
[[ $(on node ip route get $reflector) == *' dev eth0 '* ]] || fail 'main has a way of its own to the peer'
until_true more_than 0
before=$(sessions)
capture on-fabric node eth0 host $reflector or net 10.50.0.0/24 or net 105.8.0.0/16
on red-reflector vtysh -c 'clear bgp 172.16.1.10' >/dev/null
until_true more_than "$before"
until_true in_sync red

claim 'the reflector announces the near router as next hop, which is on the uplink: packets go straight there'
until_true goes_by 500 105.8.10.0/24 $near
until_true answers red-gateway $server near 10.50.0.2
same $near "$(first_hops red-gateway $server)" 'the way'

claim 'the far router as next hop is behind the edge: it is resolved through the bootstrap route'
until_true goes_by 500 105.8.11.0/24 $edge
until_true answers red-gateway $only_far far 10.50.0.2
same "$edge 10.99.1.2" "$(first_hops red-gateway $only_far)" 'the way'

claim 'a next hop that only main could reach is not used; explain says why, and the gateway is told'
until_true explains 105.8.12.0/24 'nothing in table 500 leads to its next hop 10.240.0.1'
same '' "$(on node ip route show table 500 105.8.12.0/24)" 'its routes'
until_true refused red-gateway $made_up

claim 'the near router withdraws under traffic: the next hop changes, not one packet is lost, the session stays; and back'
before=$(sessions)
at_exit announce 105.8.10.0/24
probe traffic red-gateway $server
sends traffic 50
withdraw 105.8.10.0/24
until_true goes_by 500 105.8.10.0/24 $edge
until_true answers red-gateway $server far 10.50.0.2
sends traffic 50
announce 105.8.10.0/24
until_true goes_by 500 105.8.10.0/24 $near
until_true answers red-gateway $server near 10.50.0.2
sends traffic 50
end traffic
same 0 "$(tally traffic lost)" 'lost'
same "$(tally traffic sent)" "$(($(tally traffic 'near 10.50.0.2') + $(tally traffic 'far 10.50.0.2')))" 'answers'
(($(tally traffic 'far 10.50.0.2') > 0)) || fail "the far server had none: $(<"$SCRATCH/traffic")"
same "$before" "$(sessions)" 'sessions so far'

claim 'in all this time not one packet of the session or of the gateway was on the fabric'
captured on-fabric 0 'packets on the fabric'
