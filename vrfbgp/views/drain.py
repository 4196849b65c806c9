"""Whether this node is drained, and how far that is: for `drain` and for `status`."""

from __future__ import annotations

from vrfbgp.core import Core
from vrfbgp.fib.rules import steers
from vrfbgp.steering import is_open
from vrfbgp.views.words import Json


def drain_state(core: Core, now: float) -> Json:
    """`left`: seconds until steering ends, null if nobody waits for that; `announced`: routes that peers are
    told of; `steering`: rules that lead into the networks' tables; `waiting`: rules that are wanted and do
    not stand; `open`: gateways whose packets go by main once nothing steers them."""
    intent, rules = core.intent, core.reconciler.rules
    networks = {network.name: network for network in intent.networks} if intent else {}
    gateways = intent.gateways if intent and intent.enabled else ()
    return {
        "state": core.drain.state.value,
        "left": None if core.drain.until is None else round(max(0.0, core.drain.until - now), 1),
        "announced": sum(map(len, core.announcements.sent.values())),
        "steering": sum(steers(rule) for rule, _ in rules.actual_items()),
        "waiting": sum(bool(wanted) for _, wanted, _ in rules.pending()),
        "open": [gateway.name for gateway in gateways if is_open(gateway, networks)],
    }
