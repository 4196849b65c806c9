#!/usr/bin/env bash
# Checks what README.md claims, by traffic.
source "$(dirname "$0")/../claims.sh"

shared=105.8.10.1 only_red=105.8.11.1 only_yellow=105.8.12.1 only_blue=105.8.13.1 nobodys=105.8.99.1

# learned TABLE: the prefixes of our best routes in a table, on one line.
learned() { on node ip route show table "$1" proto 179 | sed -nE 's/^(105[^ ]*) .*/\1/p' | sort -u | paste -sd ' '; }

has() { # TABLE PREFIXES
    local found
    found=$(learned "$1")
    [[ $found == "$2" ]] || { echo "table $1 has '$found'"; return 1; }
}

# announce NETWORK PREFIX, withdraw NETWORK PREFIX: its router begins or ceases to originate a prefix.
announce() { router "$1" "network $2"; }
withdraw() { router "$1" "no network $2"; }
router() { on "$1-router" vtysh -c 'configure terminal' -c "router bgp" -c 'address-family ipv4 unicast' -c "$2"; }

claim "each table has its own network's prefixes, and no other"
until_true has 500 '105.8.10.0/24 105.8.11.0/24'
until_true has 501 '105.8.10.0/24 105.8.12.0/24'
until_true has 502 '105.8.10.0/24 105.8.13.0/24'
until_true in_sync red yellow blue
same '' "$(learned main)" 'table main'

# What is captured from here to the end: each gateway's packets on the wires of networks that it does not use.
capture on-fabric node eth0 net 10.50.0.0/24
capture on-red node red0 host 10.50.0.6
capture on-yellow node yellow0 host 10.50.0.6
capture on-blue node blue0 host 10.50.0.2

claim 'a gateway with two networks reaches both; what both have, the first of its list has'
until_true answers pair-gateway $only_red red 10.50.0.2
until_true answers pair-gateway $only_yellow yellow 10.50.0.2
must_answer pair-gateway $shared red 10.50.0.2

claim 'a gateway with the third network reaches that one, at the same address too'
until_true answers blue-gateway $shared blue 10.50.0.6
must_answer blue-gateway $only_blue blue 10.50.0.6

claim 'what none of its networks has is unreachable for a gateway, though another network or nobody has it'
until_true refused pair-gateway $only_blue
until_true refused pair-gateway $nobodys
until_true refused blue-gateway $only_red
until_true refused blue-gateway $only_yellow

claim 'the prefix is withdrawn by red under traffic: yellow takes over; it comes back: red has it again'
at_exit announce red 105.8.10.0/24
probe beside blue-gateway $shared
withdraw red 105.8.10.0/24
until_true answers pair-gateway $shared yellow 10.50.0.2
announce red 105.8.10.0/24
until_true answers pair-gateway $shared red 10.50.0.2
end beside
same 0 "$(tally beside lost)" 'lost in blue meanwhile'
same "$(tally beside sent)" "$(tally beside 'blue 10.50.0.6')" 'answers in blue meanwhile'

claim 'both of its networks withdraw it under traffic: it is unreachable, though blue still has it'
at_exit announce yellow 105.8.10.0/24
probe closed pair-gateway $shared
withdraw yellow 105.8.10.0/24
withdraw red 105.8.10.0/24
until_true has 500 '105.8.11.0/24'
until_true has 501 '105.8.12.0/24'
sends closed 400
end closed
until_true refused pair-gateway $shared
(($(tally closed refused) > 0)) || fail "the probe: $(<"$SCRATCH/closed")"
same 0 "$(tally closed 'blue 10.50.0.2')" 'answers of blue'
announce red 105.8.10.0/24
announce yellow 105.8.10.0/24
until_true answers pair-gateway $shared red 10.50.0.2

claim 'in all this time not one packet of a gateway was on the fabric or on the uplink of a network that it does not use'
captured on-fabric 0 'packets of gateways on the fabric'
captured on-red 0 "packets of gateway blue on red's uplink"
captured on-yellow 0 "packets of gateway blue on yellow's uplink"
captured on-blue 0 "packets of gateway pair on blue's uplink"
