"""Whose session must not have flapped: what is done to one network is no other's business.

Whom a line of a script may disturb is known beforehand; the daemon's log says who was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.isolation.real.judge import Broken
from tests.isolation.real.plot import ROUTERS

SHAKY = 40.0
"""Seconds in which a session may still end that was disturbed once: its hold time, and some."""


@dataclass(frozen=True)
class Watch:
    """From where in the log on, and for whom, the end of a session is wrong."""

    start: int
    names: frozenset[str]


class Uptimes:
    """Remembers who was disturbed, and how lately."""

    def __init__(self, log: Callable[[], str]) -> None:
        self._log = log
        self._shaky_until = dict.fromkeys(ROUTERS, 0.0)

    def before(self, words: Sequence[str], down: set[str]) -> Watch:
        """A line is about to be carried out, while these wires are down."""
        now = time.monotonic()
        for name in disturbed(words) | {name for name, plan in ROUTERS.items() if plan.device in down}:
            self._shaky_until[name] = now + SHAKY
        steady = frozenset(name for name, until in self._shaky_until.items() if until < now)
        return Watch(len(self._log()), steady)

    def after(self, watch: Watch) -> None:
        """It was carried out. Raises Broken."""
        told = self._log()[watch.start :]
        for name in watch.names:
            plan = ROUTERS[name]
            for words in f"peer.down peer {plan.network}/{plan.address}:", f"object.degraded BGPPeer {name}:":
                if (place := told.find(words)) >= 0:
                    line = told[place:].partition("\n")[0]
                    raise Broken(f"the session with {name} is disturbed, and it should not be: {line}")


def disturbed(words: Sequence[str]) -> set[str]:
    """Whose sessions a line may end, or begin again."""
    match tuple(words):
        case ("link" | "carrier" | "address", device, *_):
            return {name for name, plan in ROUTERS.items() if plan.device == device}
        case ("router", name, _) | ("config", "hold" | "peer", name, *_):
            return {name}
        case ("config", "network", network):
            return {name for name, plan in ROUTERS.items() if plan.network == network}
        case ("daemon" | "speaker" | "meddle" | "foreign", *_) | ("config", "support", *_):
            return set(ROUTERS)
        case _:
            return set()
