#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

server=105.8.10.1
prefix=105.8.10.0/24
both_red=(172.16.1.141 172.16.1.142)
both_yellow=(172.16.2.140 172.16.3.140)

# shares NAME NODE NETWORK CLIENT: traffic now is carried by both routers of a network, and none is lost.
shares() {
    local a b
    probe "$1" "$2" $server
    sends "$1" 200
    end "$1"
    a=$(tally "$1" "$3-a $4") b=$(tally "$1" "$3-b $4")
    same 0 "$(tally "$1" lost)" 'lost'
    ((a > 0 && b > 0)) || fail "$3-a answered $a, $3-b answered $b"
    same "$(tally "$1" sent)" $((a + b)) 'answers of both'
}

claim 'each network has one route to the prefix, by both of its routers'
until_true goes_by 500 $prefix "${both_red[@]}"
until_true goes_by 501 $prefix "${both_yellow[@]}"

claim 'both routers carry traffic of one gateway'
until_true page red-gateway $server
until_true page yellow-gateway $server
shares red-before red-gateway red 10.50.0.2
shares yellow-before yellow-gateway yellow 10.50.0.4

claim "a router of red is stopped under traffic: the other goes on, nothing that went by it is lost, nor anything of yellow's"
at_exit on red-a sh -c "vtysh -c exit || /usr/lib/frr/frrinit.sh start"
probe red red-gateway $server
probe yellow yellow-gateway $server
sends red 100
on red-a /usr/lib/frr/frrinit.sh stop >/dev/null
until_true goes_by 500 $prefix 172.16.1.142
sends red 100
end red
end yellow
same 0 "$(tally red 'lost of red-b')" 'lost of what went by red-b'
same 0 "$(tally yellow lost)" 'lost in yellow'
shown=$(tally red 'red-b 10.50.0.2')
((shown > 100)) || fail "red-b answered $shown"
must_answer red-gateway $server red-b 10.50.0.2

claim 'it returns, and carries its share again'
on red-a /usr/lib/frr/frrinit.sh start >/dev/null
until_true goes_by 500 $prefix "${both_red[@]}"
until_true on red-a ip route get 10.50.0.2
shares red-after red-gateway red 10.50.0.2

claim "the link of a router of yellow is cut under traffic: nothing that went by the other is lost, nor anything of red's"
at_exit on yellow-a ip link set eth1 up
probe red-beside red-gateway $server
probe yellow-cut yellow-gateway $server
sends yellow-cut 100
on yellow-a ip link set eth1 down
until_true goes_by 501 $prefix 172.16.3.140
sends yellow-cut 100
end yellow-cut
end red-beside
same 0 "$(tally yellow-cut 'lost of yellow-b')" 'lost of what went by yellow-b'
same 0 "$(tally red-beside lost)" 'lost in red'
must_answer yellow-gateway $server yellow-b 10.50.0.4

claim 'the link returns, and the router carries its share again'
on yellow-a ip link set eth1 up
until_true goes_by 501 $prefix "${both_yellow[@]}"
until_true on yellow-a ip route get 10.50.0.4
shares yellow-after yellow-gateway yellow 10.50.0.4
