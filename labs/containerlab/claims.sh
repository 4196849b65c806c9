# The words of a story's verify.sh: claims, commands in the nodes, traffic, captures. It is sourced first:
#
#   source "$(dirname "$0")/../claims.sh"
#
# A claim holds until the next one begins; what fails in between fails the story, and is told with the claim.
# By hand, after `containerlab deploy`, verify.sh needs nothing; `make lab` and `make test` set LAB_WAY (and, in
# namespaces, LAB_NODES), by which the nodes are reached.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[1]}")"
STORY=$(basename "$PWD")
SCRATCH=$(mktemp -d)
PATIENCE=${PATIENCE:-60} # seconds that a condition may take, on a machine that is busy
claimed=0
holds='nothing was claimed yet'

# on NODE COMMAND…, kill_node NODE, start_node NODE
source "../ways/${LAB_WAY:-containers}.sh"

# -- claims ------------------------------------------------------------------------------------------

claim() { # TEXT
    claimed=$((claimed + 1)) holds=$1
    printf '%2d. %s\n' "$claimed" "$1"
}

fail() { # TEXT: what was seen instead
    printf '\n%s: the claim does not hold: %s\n%s\n' "$STORY" "$holds" "$*" >&2
    trap - ERR
    exit 1
}

# until_true COMMAND…: wait for a condition; what it printed last is told if it never comes true.
until_true() {
    local deadline=$((SECONDS + PATIENCE)) said
    until said=$("$@" 2>&1); do
        ((SECONDS < deadline)) || fail "not true within $PATIENCE s: $*"$'\n'"$said"
        sleep 0.1
    done
}

# same WANTED FOUND WHAT
same() { [[ $1 == "$2" ]] || fail "$3: expected '$1', found '$2'"; }

# -- questions to the controller ---------------------------------------------------------------------

vrfbgp() { on controller vrfbgp "$@"; }

# in_sync NETWORK…: whether all of these networks are in sync and fine. The words of `vrfbgp status --json`.
in_sync() {
    vrfbgp status --json | python3 -I -S -c '
import json, sys
text = sys.stdin.read()
if not text:
    sys.exit("the controller does not answer")
found = {n["name"]: n for n in json.loads(text)["networks"]}
for name in sys.argv[1:]:
    n = found.get(name, {})
    if not n.get("in_sync") or n.get("state") != "ok":
        sys.exit(f"{name}: {n}")
' "$@"
}

# routes_of TABLE PREFIX: the gateways of the routes of ours of a prefix, one a line, sorted.
routes_of() {
    local family=-4
    [[ $2 != *:* ]] || family=-6
    on node ip $family -json -details route show table "$1" exact "$2" proto 179 2>/dev/null | python3 -I -S -c '
import json, sys
text = sys.stdin.read().strip()
if not text:
    sys.exit(print("the node does not answer"))
# A table that does not exist yet is an error, and half a list.
routes = [r for r in json.loads(text if text != "[" else "[]") if r]
best = min(routes, key=lambda r: r.get("metric", 0), default={})
print("\n".join(sorted(hop["gateway"] for hop in best.get("nexthops", [best]) if "gateway" in hop)))
'
}

# goes_by TABLE PREFIX GATEWAY…: whether our best route of a prefix is by exactly these.
goes_by() {
    local found
    found=$(routes_of "$1" "$2" | paste -sd ' ')
    [[ $found == "${*:3}" ]] || { echo "table $1 has $2 by '$found'"; return 1; }
}

# -- traffic -----------------------------------------------------------------------------------------

# page NODE ADDRESS: the banner of the server at an address, and the client that it saw, as one line.
page() { on "$1" python3 -I -S /srv/lab/client.py "$2" | paste -sd ' '; }

# answers NODE ADDRESS BANNER CLIENT: whether that server answers, and saw that client.
answers() {
    local found
    found=$(page "$1" "$2") && [[ $found == "$3 $4" ]] || { echo "$1 gets '$found' from $2"; return 1; }
}

# must_answer NODE ADDRESS BANNER CLIENT
must_answer() {
    local found
    found=$(page "$1" "$2" 2>&1) || true
    same "$3 $4" "$found" "$1 asks $2"
}

# refused NODE ADDRESS: whether the node is told that it is unreachable. The kernel tells a host about once a second, all
# its flows together (net.ipv4.route.error_cost, net.ipv4.icmp_ratelimit), so not every try is, and none beside a probe.
refused() {
    local found
    if found=$(page "$1" "$2" 2>&1); then echo "$1 asks $2 and gets '$found'"; return 1; fi
    [[ $found == *'No route to host'* || $found == *'Network is unreachable'* ]] || { echo "$1 asks $2: $found"; return 1; }
}

# begin NAME NODE COMMAND…: run a command in a node beside the rest; `end NAME` asks it to end, and waits for it.
# What it prints is in $SCRATCH/NAME.
declare -A begun=() nodes=()
begin() {
    : >"$SCRATCH/$1"
    # shellcheck disable=SC2016
    on "$2" sh -c 'echo $$ >"/run/$0.pid"; exec "$@"' "$1" "${@:3}" </dev/null >>"$SCRATCH/$1" 2>&1 &
    begun[$1]=$! nodes[$1]=$2
}

end() {
    local process=${begun[$1]}
    # shellcheck disable=SC2016
    on "${nodes[$1]}" sh -c 'kill "$(cat "/run/$0.pid")"' "$1" </dev/null 2>&1 || fail "$1 has ended: $(tail "$SCRATCH/$1")"
    unset "begun[$1]"
    # 143: it was SIGTERM that ended it.
    wait "$process" || (($? == 143)) || fail "$1 failed: $(tail "$SCRATCH/$1")"
}

# probe NAME NODE ADDRESS [RATE]: start datagrams at a steady rate, 200 a second; `end NAME` completes the tally.
probe() {
    begin "$1" "$2" python3 -I -S /srv/lab/probe.py "${@:3}"
    until_true grep -q '^so far' "$SCRATCH/$1"
}

# sends NAME NUMBER: wait until a probe has sent so many more packets.
sends() {
    local wanted=$(($(so_far "$1") + $2))
    until_true eval "((\$(so_far $1) >= $wanted))"
}

so_far() { sed -n 's/^so far //p' "$SCRATCH/$1" | tail -n 1; }

# tally NAME WHAT: a number of a probe that has ended: sent, lost, refused, or 'BANNER CLIENT'; 0 if there is none.
tally() { sed -n "s/^$2 \([0-9]*\)$/\1/p" "$SCRATCH/$1" | grep . || echo 0; }

# capture NAME NODE DEVICE [FILTER…]: count packets from now on; `captured NAME WANTED WHAT` ends it and compares.
capture() {
    begin "$1" "$2" tcpdump -p -n -l --immediate-mode -i "$3" "${*:4}"
    until_true grep -q 'listening on' "$SCRATCH/$1"
}

captured() {
    end "$1"
    grep -q '^0 packets dropped by kernel' "$SCRATCH/$1" || fail "$3: the capture is not complete: $(tail "$SCRATCH/$1")"
    local packets
    packets=$(grep -E '^[0-9:.]+ (IP6?|ARP)' "$SCRATCH/$1" || true)
    same "$2" "$(grep -c . <<<"$packets" || true)" "$3, the last of which: $(tail -n 3 <<<"$packets")"
}

# -- the end -----------------------------------------------------------------------------------------

# at_exit COMMAND…: run this at the end, however it comes, the last first; for what must be put back.
restores=()
at_exit() {
    local words
    printf -v words '%q ' "$@"
    restores=("$words" "${restores[@]}")
}

at_end() {
    local status=$? name words
    trap - EXIT ERR
    for name in "${!begun[@]}"; do (end "$name") >/dev/null 2>&1 || true; done
    # A story that failed is looked at as it is (labs/stories/evidence.py), before it is taken down.
    if ((status)) && [[ -n ${LAB_WAY:-} ]]; then restores=(); fi
    for words in "${restores[@]}"; do eval "$words" >/dev/null || status=1; done
    rm -rf "$SCRATCH"
    if ((status == 0)); then echo "$STORY: all $claimed claims hold"; fi
    exit "$status"
}
trap at_end EXIT
trap '((BASH_SUBSHELL)) || fail "line $LINENO: $BASH_COMMAND"' ERR
set -E
trap 'exit 130' INT
trap 'exit 143' TERM HUP
