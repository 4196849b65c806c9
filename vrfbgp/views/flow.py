"""`explain --from SRC DST`: what becomes of a packet, by which rule, table, route and peer, or why not;
and beside it the kernel's own answer, so that a difference between the two can't stay unseen.
"""

from __future__ import annotations

import errno
import os

from vrfbgp.core import Core
from vrfbgp.model import IPAddress, KernelRoute, Rule, table_word
from vrfbgp.steering import is_open
from vrfbgp.views import missing
from vrfbgp.views.prefix import paths
from vrfbgp.views.table import Owner, Table
from vrfbgp.views.walk import KernelAnswer, Verdict, Walk, walk
from vrfbgp.views.way_back import way_back
from vrfbgp.views.words import Json

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
"""What the kernel says for no route at all, and for `unreachable`."""
_DEAD_ENDS = frozenset({"unreachable", "blackhole", "prohibit"})


def explain_flow(core: Core, src: IPAddress, dst: IPAddress, kernel: KernelAnswer, now: float) -> Json:
    """What becomes of a packet from `src` to `dst`. ValueError for addresses of two families."""
    if src.version != dst.version:
        raise ValueError(f"{src} and {dst} are of two address families")
    device = incoming(core, src)
    name = None if device is None else core.host.name(device)
    found = walk(core, src, dst, name, kernel)
    gateway = missing.of_source(core, src)
    return {
        "source": str(src),
        "destination": str(dst),
        "gateway": gateway.name if gateway else None,
        "device": name,
        "verdict": found.verdict.value,
        "text": _text(core, found, src),
        "rules": [met.told() for met in found.met],
        "table": found.table,
        "network": found.network,
        "route": found.entry.told(core) if found.entry else None,
        "paths": _paths(core, found, now),
        "way_back": way_back(core, gateway, src, found.network),
        "missing": _missing(core, found, src, dst, now),
        "kernel": _kernel(core, kernel),
        **compared(core, found, kernel),
    }


def incoming(core: Core, src: IPAddress) -> int | None:
    """The device by which packets from an address come in; None for one of the node's own."""
    if src in core.host.local:
        return None
    attached = core.host.covering(src)
    return attached[0].ifindex if attached else None


def can_ask(core: Core, src: IPAddress) -> bool:
    """Whether the kernel can be asked about packets from an address: it must be here, or behind a device."""
    return src in core.host.local or incoming(core, src) is not None


# -- our answer ------------------------------------------------------------------------------------


def _text(core: Core, found: Walk, src: IPAddress) -> str:
    match found.verdict:
        case Verdict.FORWARDED if found.entry is not None:
            hops = ", ".join(
                f"{hop.gateway or 'the destination'} on {core.host.name(hop.ifindex)}"
                for hop in found.entry.hops
            )
            many = "one of " if len(found.entry.hops) > 1 else ""
            where = f"network {found.network} (table {found.table})"
            return f"forwarded by {where}, route {found.entry.prefix}, to {many}{hops or 'a next hop object'}"
        case Verdict.UNREACHABLE:
            if found.entry is not None:
                return (
                    f"unreachable: route {found.entry.prefix} of table {found.table} says {found.entry.kind}"
                )
            return "unreachable: " + (f"rule '{found.rule}'" if found.rule else "no rule leads to a route")
        case Verdict.LOCAL:
            return "for this node itself"
        case Verdict.ELSEWHERE:
            return f"by table {table_word(found.table or 0)}: {_why_elsewhere(core, found, src)}"
    return "table main decides, and the kernel could not be asked about this source"


def _why_elsewhere(core: Core, found: Walk, src: IPAddress) -> str:
    if found.rule is not None and found.rule.ours:
        return "the destination is in the cluster (or a peer's session), which is never an external network's"
    gateway = missing.of_source(core, src)
    if gateway is None:
        return f"{src} is no egress gateway's address on this node"
    networks = {network.name: network for network in core.intent.networks} if core.intent else {}
    if core.intent is not None and not core.intent.enabled:
        return "external networks are disabled"
    if is_open(gateway, networks) and not core.drain.steers:
        return "the node is drained, and all of the gateway's networks are Open"
    if is_open(gateway, networks):
        return "none of the gateway's networks has a route, and all of them are Open"
    if found.rule is not None and _before_ours(core, found.rule):
        return f"rule '{found.rule}' is not ours, and stands before ours"
    return "the gateway's rules do not stand yet"


def _paths(core: Core, found: Walk, now: float) -> list[Json]:
    """The paths because of which the packet goes that way."""
    if found.network is None or found.entry is None or found.entry.owner is not Owner.LEARNED:
        return []
    table = Table(core, found.network)
    return paths(table, found.entry.family, found.entry.nlri, now, used_only=True)


def _missing(core: Core, found: Walk, src: IPAddress, dst: IPAddress, now: float) -> list[Json]:
    if found.verdict in (Verdict.FORWARDED, Verdict.LOCAL):
        return []
    gateway = missing.of_source(core, src)
    if core.intent is not None and not core.intent.enabled:
        remedy = "set externalNetworkSupport of FelixConfiguration default to Enabled"
        return [missing.missing(None, "external networks are disabled", remedy)]
    if src in core.host.local and gateway is None:
        return []
    if gateway is None:
        text = f"{src} is in no range of an EgressGateway with externalNetworks on this node"
        return [missing.missing(None, text, "compare vrfbgp status")]
    if found.rule is not None and found.rule.ours and found.rule.dst is not None:
        return []
    others = missing.of_gateway(core, gateway, src, dst, now)
    if found.rule is not None and _before_ours(core, found.rule):
        return [missing.ahead(core, gateway, found.rule), *others]
    return others


def _before_ours(core: Core, rule: Rule) -> bool:
    return not rule.ours and core.intent is not None and rule.priority < core.intent.rule_priority


# -- the kernel's answer ---------------------------------------------------------------------------


def _kernel(core: Core, kernel: KernelAnswer) -> Json | None:
    if kernel is None:
        return None
    if isinstance(kernel, OSError):
        text = os.strerror(kernel.errno) if kernel.errno else str(kernel)
        return {"error": text, "errno": kernel.errno}
    return {
        "kind": kernel.kind,
        "table": kernel.key.table,
        "next_hops": [
            {"gateway": None if gateway is None else str(gateway), "device": core.host.name(ifindex)}
            for gateway, ifindex in kernel.nexthops
        ],
    }


def compared(core: Core, found: Walk, kernel: KernelAnswer) -> Json:
    """Whether the two answers agree (null: can't be said), and what differs."""
    if kernel is None or found.verdict is Verdict.UNKNOWN:
        return {"agrees": None, "difference": None}
    difference = _difference(core, found, kernel)
    return {"agrees": difference is None, "difference": difference}


def _difference(core: Core, found: Walk, kernel: KernelRoute | OSError) -> str | None:
    dead = isinstance(kernel, OSError) or kernel.kind in _DEAD_ENDS
    if found.verdict is Verdict.UNREACHABLE:
        if isinstance(kernel, OSError):
            known = kernel.errno in _NO_WAY
            return None if known else f"the kernel refuses the question: {kernel}"
        return None if dead else f"the kernel sends it by table {table_word(kernel.key.table)}"
    if isinstance(kernel, OSError):
        return f"the kernel says: {os.strerror(kernel.errno or 0)}"
    if dead:
        return f"the kernel says: {kernel.kind}"
    if found.verdict is Verdict.LOCAL:
        return None if kernel.kind in ("local", "broadcast") else f"the kernel says: {kernel.kind}"
    if kernel.key.table != found.table:
        taken, expected = table_word(kernel.key.table), table_word(found.table or 0)
        return f"the kernel takes table {taken}, not {expected}"
    if found.entry is None or not found.entry.hops or not kernel.nexthops:
        return None
    ours = {(hop.gateway, hop.ifindex) for hop in found.entry.hops}
    if all(hop in ours for hop in kernel.nexthops):
        return None
    gateway, ifindex = next(hop for hop in kernel.nexthops if hop not in ours)
    return f"the kernel sends it to {gateway or 'the destination'} on {core.host.name(ifindex)}"
