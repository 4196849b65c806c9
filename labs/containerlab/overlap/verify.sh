#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

server=105.8.10.1

claim 'both networks announce 105.8.10.0/24, and each table has it by its own router'
until_true goes_by 500 105.8.10.0/24 172.16.1.140
until_true goes_by 501 105.8.10.0/24 172.16.2.140
until_true in_sync red yellow
same '' "$(routes_of main 105.8.10.0/24)" 'table main'

claim 'each gateway reaches its own server at that one address, and is seen by its own address'
until_true answers red-gateway $server red 10.50.0.2
until_true answers yellow-gateway $server yellow 10.50.0.4

claim 'a client behind a gateway reaches the same server, seen by the address of its gateway'
must_answer red-client $server red 10.50.0.2
must_answer yellow-client $server yellow 10.50.0.4

claim 'under traffic from both clients at once, none is lost and none crosses over or leaves by the fabric'
capture on-fabric node eth0 "host $server"
capture on-red node red0 src host 10.50.0.4
capture on-yellow node yellow0 src host 10.50.0.2
probe red red-client $server
probe yellow yellow-client $server
sends red 100
sends yellow 100
end red
end yellow
for network in 'red 10.50.0.2' 'yellow 10.50.0.4'; do
    name=${network% *}
    same 0 "$(tally "$name" lost)" "lost by the client of $name"
    same "$(tally "$name" sent)" "$(tally "$name" "$network")" "answers of server $name that saw ${network#* }"
done
captured on-fabric 0 'packets on the fabric'
captured on-red 0 "packets of gateway yellow on red's uplink"
captured on-yellow 0 "packets of gateway red on yellow's uplink"

claim 'the node itself, which is no gateway, does not use the tables'
same '' "$(on node ip -json route get $server | grep -o '"dev":"\(red0\|yellow0\)"' || true)" "the node's own way"

claim 'the controller runs as a user without rights (in containers)'
if [[ ${LAB_WAY:-containers} == containers ]]; then
    same vrfbgp "$(on controller id -un)" 'its user'
    for capabilities in $(on controller sed -n 's/^CapEff:\t//p' /proc/1/status); do
        same 0000000000000000 "$capabilities" 'capabilities of the process that speaks with peers'
    done
fi
