"""Scripts at random: what comes next is drawn from the seed and from how things stand, and from nothing else.

Routers announce, also what they should not; they die, and return; wires, addresses and the daemon come and
go; the config is edited; somebody meddles. At the end all is well again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.isolation.real.arena import WIRES
from tests.isolation.real.plot import (
    BAD,
    NETWORKS,
    NEXT_HOPS,
    OPTIONS,
    ORDERS,
    PATHS,
    PREFIXES,
    PRIORITIES,
    RANGES,
    ROUTERS,
    TABLES,
)
from tests.isolation.real.stage import Stage

BEGINNING = (
    *(f"router {name} start" for name in ROUTERS),
    "announce r1 105.8.10.0/24",
    "announce r1 192.0.2.0/24",
    "announce r2 105.8.10.0/24",
    "announce r2 192.0.2.0/24 path 65000",
    "announce y1 105.8.10.0/24",
    "announce y1 198.51.100.0/24",
    "announce y2 198.51.100.0/24",
    "announce g4 105.8.10.0/24",
    "announce g4 0.0.0.0/0",
    "announce g6 2001:db8:8::/48",
    "announce b4 10.0.0.0/8",
    "daemon start",
)
"""All networks overlap; some prefixes have a backup, others two equal paths."""
FOREIGN_RULES = ("from 10.77.0.0/16 lookup 900 priority 90", "from 10.77.0.0/16 unreachable priority 104")
FOREIGN_WAYS = ("via 172.16.1.141 dev red0", "via 172.16.3.140 dev grn0", "via 10.240.0.1 dev eth0")
METRICS = (100, 20000, 20001, 30000)
WRONGED = 8
"""So often does somebody meddle in a script: more would be a fight, which is another story."""

Draw = Callable[[], str]
"""A line, or nothing if it can't be now."""


class Author:
    """Writes one script, line by line."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self._stage, self._rng = stage, rng
        self._broken: list[str] = []
        """What mends each wire that is down."""
        self._foreign: list[str] = []
        self._meddled = 0

    def next(self) -> str:
        """The next line."""
        draws, weights = zip(*self._draws().items(), strict=True)
        while True:
            (draw,) = self._rng.choices(draws, weights)
            if line := str(draw()):
                return line

    def ending(self) -> list[str]:
        """What makes all well again."""
        stage = self._stage
        lines = [] if stage.alive else ["daemon start"]
        lines += self._broken
        lines += [] if not stage.drained else ["drain off"]
        lines += [] if stage.plot.enabled else ["config support on"]
        return lines + [f"router {name} start" for name, one in stage.routers.items() if not one.running]

    def _draws(self) -> dict[Draw, int]:
        if not self._stage.alive:
            return {self._start: 6, self._announce: 2, self._withdraw: 1, self._wire: 2, self._edit: 3}
        return {
            self._announce: 12,
            self._announce_too: 5,
            self._withdraw: 6,
            self._router: 6,
            self._wire: 7,
            self._edit: 16,
            self._foreign_object: 4,
            self._meddle: 5,
            self._daemon: 3,
            self._place: 2,
            self._drain: 2,
        }

    def _one(self, some: object) -> str:
        return str(self._rng.choice(sorted(some)))  # type: ignore[call-overload]

    # -- routers -------------------------------------------------------------------------------------

    def _announce(self) -> str:
        name = self._one(ROUTERS)
        version = ROUTERS[name].version
        line = f"announce {name} {self._rng.choice(PREFIXES[version])}"
        hop = self._rng.choice(NEXT_HOPS[version]) if self._rng.random() < 0.5 else ""
        path = self._rng.choice(PATHS) if self._rng.random() < 0.4 else ()
        line += f" via {hop}" if hop and hop != ROUTERS[name].address else ""
        return line + (f" path {','.join(map(str, path))}" if path else "")

    def _announce_too(self) -> str:
        """What another router of the same network has."""
        name = self._one(ROUTERS)
        plan = ROUTERS[name]
        others = [n for n, one in ROUTERS.items() if one.network == plan.network and n != name]
        said = {prefix for other in others for prefix in self._stage.sessions.said[other]}
        fitting = [prefix for prefix in said if (":" in prefix) is (plan.version == 6)]
        return f"announce {name} {self._one(fitting)}" if fitting else ""

    def _withdraw(self) -> str:
        name = self._one(ROUTERS)
        said = self._stage.sessions.said[name]
        return f"withdraw {name} {self._one(said)}" if said else ""

    def _router(self) -> str:
        stage = self._stage
        dead = [name for name, router in stage.routers.items() if not router.running]
        if dead and (len(dead) > 2 or self._rng.random() < 0.6):
            return f"router {self._one(dead)} start"
        name = self._one(ROUTERS)
        if not stage.routers[name].running or ROUTERS[name].device in stage.sessions.down:
            return ""
        return f"router {name} {self._rng.choice(('kill', 'kill', 'stop'))}"

    # -- the node ------------------------------------------------------------------------------------

    def _wire(self) -> str:
        if self._broken and (len(self._broken) > 1 or self._rng.random() < 0.7):
            return self._broken.pop(self._rng.randrange(len(self._broken)))
        device = self._one(wire.device for wire in WIRES)
        if device in self._stage.sessions.down:
            return ""
        kind, broken, mended = self._rng.choice(
            (
                ("link", "down", "up"),
                ("carrier", "off", "on"),
                ("address", "away", "back"),
                ("link", "flap", ""),
            )
        )
        if mended:
            self._broken.append(f"{kind} {device} {mended}")
        return f"{kind} {device} {broken}"

    def _place(self) -> str:
        name = self._one(RANGES)
        return f"place {name} {'back' if name in self._stage.away else 'away'}"

    def _daemon(self) -> str:
        if len(self._stage.sessions.reached()) < len(self._stage.plot.sessions()):
            return ""  # a minute would pass until what it finds is known to be right
        return self._rng.choice(
            ("daemon kill", "daemon kill", "daemon stop", f"speaker {self._rng.randrange(6)}")
        )

    def _start(self) -> str:
        return "daemon start"

    def _drain(self) -> str:
        return "drain off" if self._stage.drained else "drain on"

    # -- the config ----------------------------------------------------------------------------------

    def _edit(self) -> str:
        stage, rng = self._stage, self._rng
        plot, router, name = stage.plot, self._one(ROUTERS), self._one(NETWORKS)
        kinds = ["network", "peer", "table", "option", "reject", "hold", "gateway", "gateway", "priority"]
        if not plot.enabled:
            kinds = ["support"]
        elif rng.random() < 0.15:
            kinds = ["support", "bad", "bad"]
        match kind := rng.choice(kinds):
            case "network":
                return f"config network {name}" if plot.present != {name} else ""
            case "peer":
                left = [one for one in plot.routers_of(ROUTERS[router].network) if one.name != router]
                return f"config peer {router}" if left else ""
            case "table":
                return f"config table {name} {rng.choice(TABLES)}"
            case "option":
                return f"config option {name} {self._one(OPTIONS)}"
            case "reject":
                return f"config reject {router}"
            case "hold":
                return f"config hold {router} {rng.choice((30, 60, 90))}"
            case "gateway":
                gateway, order = self._one(RANGES), rng.choice((*ORDERS, ()))
                return (
                    f"config gateway {gateway} {' '.join(order)}".strip()
                    if order or gateway in plot.orders
                    else ""
                )
            case "priority":
                return f"config priority {rng.choice(PRIORITIES)}"
            case "support":
                return f"config support {'off' if plot.enabled else 'on'}"
            case _:
                return (
                    f"config {kind} {self._one(BAD)}" if stage.alive and {500} & set(self._tables()) else ""
                )

    def _tables(self) -> list[int]:
        plot = self._stage.plot
        return [plot.tables[name] for name in plot.present]

    # -- what others do ------------------------------------------------------------------------------

    def _foreign_object(self) -> str:
        rng = self._rng
        if self._foreign and rng.random() < 0.5:
            return self._foreign.pop(rng.randrange(len(self._foreign)))
        if rng.random() < 0.3:
            words = f"rule {rng.choice(FOREIGN_RULES)}"
        else:
            table = rng.choice((*TABLES, "main"))
            words = f"route {rng.choice(PREFIXES[4][:4])} {rng.choice(FOREIGN_WAYS)} table {table}"
            words += f" metric {rng.choice(METRICS)}"
        if f"foreign del {words}" in self._foreign:
            return ""
        self._foreign.append(f"foreign del {words}")
        verb = "replace" if "route" in words and rng.random() < 0.4 else "add"
        return f"foreign {verb} {words}"

    def _meddle(self) -> str:
        self._meddled += 1
        if self._meddled > WRONGED:
            return ""
        kind = self._rng.choice(("route", "rule", "nexthop", "astray"))
        return f"meddle {kind} {self._rng.randrange(30)}"
