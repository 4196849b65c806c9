#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

# router NETWORK WORDS: its router begins (`network`) or ceases (`no network`) to originate the prefix.
router() {
    on "$1-router" vtysh -c 'configure terminal' -c 'router bgp' -c 'address-family ipv6 unicast' -c "$2 2001:db8:105::/64"
}

server=2001:db8:105::1

claim 'both networks announce 2001:db8:105::/64, and each table has it by its own router'
until_true goes_by 500 2001:db8:105::/64 fd00:1::140
until_true goes_by 501 2001:db8:105::/64 fd00:2::140
until_true in_sync red yellow
same '' "$(routes_of main 2001:db8:105::/64)" 'table main'

claim 'each gateway reaches its own server at that one address, and is seen by its own address'
until_true answers red-gateway $server red 2001:db8:50::2
until_true answers yellow-gateway $server yellow 2001:db8:50::4

claim 'a client behind a gateway reaches the same server, seen by the address of its gateway'
must_answer red-client $server red 2001:db8:50::2
must_answer yellow-client $server yellow 2001:db8:50::4

claim 'under traffic from both clients at once, none is lost and none crosses over or leaves by the fabric'
capture on-fabric node eth0 "host $server"
capture on-red node red0 src host 2001:db8:50::4
capture on-yellow node yellow0 src host 2001:db8:50::2
probe red red-client $server
probe yellow yellow-client $server
sends red 100
sends yellow 100
end red
end yellow
for network in 'red 2001:db8:50::2' 'yellow 2001:db8:50::4'; do
    name=${network% *}
    same 0 "$(tally "$name" lost)" "lost by the client of $name"
    same "$(tally "$name" sent)" "$(tally "$name" "$network")" "answers of server $name that saw ${network#* }"
done
captured on-fabric 0 'packets on the fabric'
captured on-red 0 "packets of gateway yellow on red's uplink"
captured on-yellow 0 "packets of gateway red on yellow's uplink"

claim 'the node itself, which is no gateway, does not use the tables'
same '' "$(on node ip -6 -json route get $server | grep -o '"dev":"\(red0\|yellow0\)"' || true)" "the node's own way"

claim 'red withdraws the prefix: its gateway is told that it is unreachable, and nothing of it leaves by the fabric'
at_exit router red network
capture closed node eth0 host 2001:db8:50::2
router red 'no network'
until_true goes_by 500 2001:db8:105::/64
until_true refused red-gateway $server
must_answer yellow-client $server yellow 2001:db8:50::4
captured closed 0 'packets of gateway red on the fabric'
router red network
until_true answers red-client $server red 2001:db8:50::2
