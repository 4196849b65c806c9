"""What must hold at every moment, between any two operations: checked after each of them, in all scenarios.

- No packet of a closed gateway leaves by main, once its first `unreachable` rule stood (invariant 7).
- No packet of a gateway leaves by a table, or a device, of a network that is not its own (invariant 1).
- Nothing of ours stands in a reserved table.
- A session is configured when its rule and the route to its peer stand (design: sessions).
- An address is announced while the rule that leads its packets stands (invariant 6).
- What a scenario says `keeps`, has a route all the time (invariant 5).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING

from tests.scenarios.fake_kernel import Violation
from tests.scenarios.fate import fate
from vrfbgp.model import MAIN_TABLE, RESERVED_TABLES, Action, IPAddress, IPNetwork
from vrfbgp.requests import SessionConfig
from vrfbgp.steering import host_prefix

if TYPE_CHECKING:
    from tests.scenarios.notation import Config
    from tests.scenarios.world import World

FAR = (IPv4Address("203.0.113.77"), IPv6Address("2001:db8:ffff::77"))


class Promises:
    """The invariants of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._closed: set[IPNetwork] = set()
        """Ranges whose `unreachable` rule has stood."""
        self._before: list[Config] = []
        self._probes: set[IPAddress] = set(FAR)
        self.kept: set[tuple[IPAddress, IPAddress]] = set()
        self.meddled = False
        """Somebody else deleted rules, and they are not known to be repaired."""

    def probe(self, prefix: str) -> None:
        """From now on gateways' packets to this prefix are looked at, too."""
        self._probes.add(ip_network(prefix)[1 if "/32" not in prefix and "/128" not in prefix else 0])

    def config(self, before: Config | None, now: Config) -> None:
        """A config takes the place of another; until the world is quiet, either may hold."""
        if before is not None:
            self._before.append(before)
        ranges = {r for gateway in now.intent.gateways for r in gateway.ranges if now.intent.enabled}
        self._closed &= ranges

    def quiet(self) -> None:
        """What was asked for is done: only the newest config holds."""
        self._before = []
        self.meddled = False

    def reopened(self) -> None:
        """Somebody else meddled with rules: nothing can be promised of before they are repaired."""
        self._closed.clear()
        self.meddled = True

    def check(self) -> None:
        self._check_tables()
        self._check_gateways()
        self._check_announced()
        for src, dst in self.kept:
            found = fate(self._world.kernel, src, dst)
            if found.kind != "route":
                raise Violation(f"{src} to {dst} was to have a route all the time, but is {found}")

    def session(self, session: SessionConfig) -> None:
        """A session is configured: its packets must find their way."""
        kernel = self._world.kernel
        config = self._world.config
        assert config is not None
        if session.peer in self._world.speakers[session.peer.network].up:
            return
        tables = {
            n.table
            for c in (*self._before, config)
            for n in c.intent.networks
            if n.name == session.peer.network
        }
        found = fate(kernel, session.local_address, session.peer.address)
        if found.kind != "route" or found.table not in tables:
            raise Violation(f"session {session.peer} is configured, but its packets meet: {found}")

    def _check_tables(self) -> None:
        for key, route in self._world.kernel.routes.items():
            if route.ours and key.table in RESERVED_TABLES:
                raise Violation(f"ours, in a reserved table: {key}")

    def _check_gateways(self) -> None:
        world = self._world
        if world.config is None or not world.config.intent.enabled:
            return
        wanted = {source for gateway in world.config.intent.gateways for source in gateway.ranges}
        rules = (rule for rule in world.kernel.rules if rule.ours and rule.action is Action.UNREACHABLE)
        self._closed |= {rule.src for rule in rules if rule.src in wanted}
        configs = [*self._before, world.config]
        cluster = [prefix for config in configs for prefix in config.intent.cluster]
        networks = {n.name: n for config in configs for n in config.intent.networks}
        for gateway in world.config.intent.gateways:
            closed = any(name not in networks or not networks[name].fail_open for name in gateway.networks)
            for source in gateway.ranges:
                if not (closed or gateway.isolated):
                    self._closed.discard(source)
                used = _used(configs, source)
                tables = {n.table for c in configs for n in c.intent.networks if n.name in used}
                devices = {dev for c in configs for name in used for dev in c.devices.get(name, ())}
                for dst in self._probes:
                    if dst.version != source.version or any(dst in prefix for prefix in cluster):
                        continue
                    found = fate(world.kernel, source[0], dst)
                    what = f"{gateway.name}: {source[0]} to {dst} meets {found}"
                    if found.kind == "none" or found.table == MAIN_TABLE:
                        if (closed or gateway.isolated) and source in self._closed:
                            raise Violation(f"falls through: {what}")
                    elif found.kind == "route" and found.table not in tables:
                        raise Violation(f"in another network's table: {what}")
                    elif found.kind == "route" and not found.devices <= devices:
                        raise Violation(f"leaves by another network's device: {what}")

    def _check_announced(self) -> None:
        world = self._world
        assert world.config is not None
        configs = [*self._before, world.config]
        for name, speaker in world.speakers.items():
            tables = {n.table for c in configs for n in c.intent.networks if n.name == name}
            for peer, prefix in speaker.announced:
                address = ip_network(prefix)[0]
                rules = [
                    rule
                    for rule in world.kernel.rules
                    if rule.ours
                    and rule.src
                    and address in rule.src
                    and rule.table in tables
                    and rule.src != host_prefix(peer.address)
                ]
                if not rules and self._closed:
                    raise Violation(f"{prefix} is announced to {peer}, but no rule leads into its table")


def _used(configs: list[Config], source: IPNetwork) -> set[str]:
    """The networks that this range may use, or could use until a moment ago."""
    gateways = [g for c in configs for g in c.intent.gateways if source in g.ranges and not g.isolated]
    return {name for gateway in gateways for name in gateway.networks}
