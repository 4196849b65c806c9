"""A machine that tells stories: it writes a scenario, step by step, in the words of `tests/scenarios`.

Routers that announce, also what they should not; sessions that come and go; edits of the config; links,
addresses, foreign routes and rules; meddling, refusals, deaths. `JudgedWorld` judges each step. At the end
all is well again, and time passes.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.isolation import steps  # noqa: F401  (it gives steps their meanings)
from tests.isolation.judge import JudgedWorld
from tests.isolation.plot import (
    ADDRESSES,
    BEGINNING,
    MARKS,
    NEXT_HOPS,
    NODE,
    OPTIONS,
    ORDERS,
    PEERS,
    PREFIXES,
    TABLES,
    TWIN,
    UPLINKS,
    Plot,
)
from tests.isolation.shrink import Line
from tests.scenarios import deeds, sights  # noqa: F401
from tests.scenarios.script import Step, run
from vrfbgp.model import MAIN_TABLE, METRIC, PeerId, network_of

number = st.integers(0, 7)
LENIENT = 8
"""So often does somebody meddle in a story: more would be a fight, which is another one."""


class Broken(AssertionError):
    """A promise was broken, at the end of this story."""

    def __init__(self, story: list[Line], words: str) -> None:
        super().__init__(words)
        self.story = story


class Story(RuleBasedStateMachine):
    """One daemon's life."""

    def __init__(self) -> None:
        super().__init__()
        self.world = JudgedWorld()
        self.plot = Plot()
        self.lines: list[Line] = []
        self.meddled = 0
        self.failed = False
        for line in [*NODE.strip().splitlines(), TWIN]:
            self.tell(line)
        self.configure()
        for line in BEGINNING.strip().splitlines():
            self.tell(line)

    def tell(self, text: str, block: tuple[str, ...] = ()) -> None:
        """The next step of the story."""
        self.lines.append((text, block))
        try:
            run(Step("story", len(self.lines), text, block), self.world)
        except Exception as error:
            self.failed = True
            raise Broken(self.lines, str(error)) from error

    def configure(self) -> None:
        self.tell("config", tuple(self.plot.lines()))

    def teardown(self) -> None:
        """All is well again, and time passes: then everything is judged exactly."""
        if self.failed:
            return
        self.tell("nothing is refused any more")
        if not self.world.alive:
            self.tell("the daemon starts")
        if self.world.paused:
            self.tell("go on")
        if not self.world.answering:
            self.tell("the kernel answers")
        self.tell("400 seconds pass")
        self.tell("all routers come up")
        self.tell("400 seconds pass")

    # -- the routers -------------------------------------------------------------------------------

    def session(self, choice: int, up: bool | None = None) -> PeerId | None:
        """One of the configured sessions; those that are up, or are not, if that is asked for."""
        speakers = self.world.speakers.values()
        found = sorted(p for s in speakers for p in s.sessions if up is None or (p in s.up) is up)
        return found[choice % len(found)] if found else None

    @rule(
        choice=number, which=st.integers(0, 13), hop=st.integers(0, 8), length=st.integers(0, 3), more=number
    )
    def announce(self, choice: int, which: int, hop: int, length: int, more: int) -> None:
        if (peer := self.session(choice)) is None or self._configured(peer) is None:
            return
        version = peer.address.version
        prefixes, hops = PREFIXES[version], NEXT_HOPS[version]
        via = hops[hop % len(hops)] or str(peer.address)
        words = f"{peer} announces {prefixes[which % len(prefixes)]} via {via}"
        paths = ["", "64501", "64501,65000", "64512,65000"]
        words += f" path {paths[length]}" if length else ""
        words += f" med {more}" if more in (1, 2) else ""
        words += " local-pref 200" if more == 3 else ""
        self.tell(words)

    @rule(choice=number, which=st.integers(0, 13))
    def announce_plainly(self, choice: int, which: int) -> None:
        self.announce(choice, which, 0, 0, 0)

    @rule(choice=number, which=number, longer=st.booleans())
    def announce_too(self, choice: int, which: int, longer: bool) -> None:
        """Another router of the same network has the same prefix, by a path as good or a longer one."""
        if (peer := self.session(choice)) is None or self._configured(peer) is None:
            return
        others = [r for p, r in self.world.routers.items() if p != peer and p.network == peer.network]
        prefixes = sorted(
            {q for r in others for q in r.announced if (":" in q) is (peer.address.version == 6)}
        )
        if prefixes:
            path = "64501,65000" if longer else "64501"
            self.tell(f"{peer} announces {prefixes[which % len(prefixes)]} via {peer.address} path {path}")

    def _configured(self, peer: PeerId) -> PeerId | None:
        config = self.world.config
        assert config is not None
        return next((p.id for n in config.intent.networks for p in n.peers if p.id == peer), None)

    @rule(choice=number, which=number)
    def withdraw(self, choice: int, which: int) -> None:
        if (peer := self.session(choice)) is None or peer not in self.world.routers:
            return
        if offered := list(self.world.routers[peer].announced):
            up = peer in self.world.speakers[peer.network].up
            self.tell(f"{peer} {'withdraws' if up else 'no longer has'} {offered[which % len(offered)]}")

    @rule(
        choice=number,
        how=st.sampled_from(["", "", " after a restart", " after a restart that lost its forwarding state"]),
    )
    def come_up(self, choice: int, how: str) -> None:
        if (peer := self.session(choice, up=False)) is not None:
            self.tell(f"{peer} comes up{how}")

    @rule()
    def all_come_up(self) -> None:
        self.tell("all routers come up")

    @rule(
        choice=number,
        what=st.sampled_from(["is lost", "holds no more", "sends Cease"]),
        refused=st.sampled_from(["", "", "AddRoute", "ReplaceRoute", "AddNexthop"]),
    )
    def fall(self, choice: int, what: str, refused: str) -> None:
        """A session ends; what the kernel is told because of that may be refused at first."""
        if (peer := self.session(choice, up=True)) is not None:
            if refused:
                self.refuse(refused, 2)
            self.tell(f"{peer} {what}")

    @rule(choice=number, what=st.sampled_from(["is silent", "restarts gracefully within 90 seconds"]))
    def router(self, choice: int, what: str) -> None:
        if (peer := self.session(choice)) is not None and self._configured(peer):
            self.tell(f"router {peer} {what}")

    @rule(choice=number)
    def end_of_rib(self, choice: int) -> None:
        if (peer := self.session(choice, up=True)) is not None:
            self.tell(f"{peer} says End-of-RIB ipv{peer.address.version}")

    @rule(network=st.sampled_from(sorted(PEERS)))
    def speaker_dies(self, network: str) -> None:
        if network in self.world.speakers and self.world.speakers[network].sessions:
            self.tell(f"the speaker of {network} dies")

    # -- the config --------------------------------------------------------------------------------

    @rule(network=st.sampled_from(sorted(PEERS)), table=st.sampled_from(TABLES))
    def move_table(self, network: str, table: int) -> None:
        self.plot.move(network, table)
        self.configure()

    @rule(network=st.sampled_from(sorted(PEERS)), options=st.sampled_from(OPTIONS))
    def edit_network(self, network: str, options: str) -> None:
        self.plot.options[network] = options
        self.configure()

    @rule(network=st.sampled_from(sorted(PEERS)))
    def network_comes_or_goes(self, network: str) -> None:
        self.plot.present ^= {network}
        self.configure()

    @rule(network=st.sampled_from(sorted(PEERS)), choice=number)
    def peer_comes_or_goes(self, network: str, choice: int) -> None:
        self.plot.peers[network] ^= {choice % len(PEERS[network])}
        self.configure()

    @rule(
        network=st.sampled_from(sorted(PEERS)),
        choice=number,
        mark=st.sampled_from(MARKS),
    )
    def edit_peer(self, network: str, choice: int, mark: str) -> None:
        self.plot.marks[network, choice % len(PEERS[network])] = mark
        self.configure()

    @rule(
        gateway=st.sampled_from(["egress/one", "egress/two", "egress/three"]), order=st.sampled_from(ORDERS)
    )
    def edit_gateway(self, gateway: str, order: str) -> None:
        self.plot.orders[gateway] = order
        self.configure()

    @rule(gateway=st.sampled_from(["egress/one", "egress/two", "egress/three"]))
    def gateway_goes(self, gateway: str) -> None:
        self.plot.orders.pop(gateway, None)
        self.configure()

    @rule(priority=st.sampled_from([102, 50, 200, 103]))
    def edit_priority(self, priority: int) -> None:
        self.plot.priority = priority
        self.configure()

    @rule()
    def enable_or_disable(self) -> None:
        self.plot.disabled = not self.plot.disabled
        self.configure()

    # -- the node ----------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(UPLINKS),
        what=st.sampled_from(["goes down", "loses carrier", "flaps", "comes up"]),
    )
    def link(self, name: str, what: str) -> None:
        kernel = self.world.kernel
        link = kernel.links[kernel.index(name)]
        if what == "comes up" and link.up and not link.running:
            what = "gets carrier"
        if what == "loses carrier" and not link.up:
            return
        self.tell(f"link {name} {what}")
        if name == "eth4" and what in ("flaps", "comes up"):
            self.tell(TWIN)

    @rule(name=st.sampled_from(sorted(ADDRESSES)))
    def address(self, name: str) -> None:
        index = self.world.kernel.index(name)
        address, _ = ADDRESSES[name].split("/")
        there = any(a.ifindex == index and str(a.address) == address for a in self.world.kernel.addresses)
        self.tell(f"address {ADDRESSES[name]} {'leaves' if there else 'comes to'} {name}")

    @rule(
        prefix=st.sampled_from(PREFIXES[4][:6]),
        table=st.sampled_from([*TABLES, MAIN_TABLE]),
        via=st.sampled_from(["172.16.1.7 dev eth1", "172.16.2.7 dev eth2", "192.168.0.1 dev eth0"]),
        metric=st.sampled_from([0, METRIC, METRIC + 1, 30000]),
    )
    def foreign_route(self, prefix: str, table: int, via: str, metric: int) -> None:
        known = {(str(network_of(k.family, k.nlri)), k.table, k.metric) for k in self.world.kernel.routes}
        kernel = self.world.kernel
        if (prefix, table, metric) not in known and kernel.links[kernel.index(via[-4:])].up:
            self.tell(f"somebody adds route {prefix} table {table} metric {metric} via {via}")

    @rule(choice=number)
    def foreign_route_goes(self, choice: int) -> None:
        routes = self.world.kernel.routes.items()
        found = [key for key, route in routes if route.protocol == 4 and key.metric != 100]
        if found:
            key = found[choice % len(found)]
            prefix = network_of(key.family, key.nlri)
            self.tell(f"somebody deletes route {prefix} table {key.table} metric {key.metric}")

    @rule(words=st.sampled_from(["90: from 10.77.0.0/16 lookup 900", "104: from 10.77.0.0/16 unreachable"]))
    def foreign_rule(self, words: str) -> None:
        if words not in map(str, self.world.kernel.rules):
            self.tell(f"somebody adds rule {words}")

    # -- what goes wrong ---------------------------------------------------------------------------

    @precondition(lambda self: self.meddled < LENIENT)
    @rule(what=st.sampled_from(["route", "rule", "nexthop"]), choice=st.integers(0, 30))
    def meddle(self, what: str, choice: int) -> None:
        kernel, words = self.world.kernel, self.world.words
        if what == "route" and (keys := [key for key, route in kernel.routes.items() if route.ours]):
            key = keys[choice % len(keys)]
            prefix = network_of(key.family, key.nlri)
            self.tell(f"somebody deletes route {prefix} table {key.table} metric {key.metric}")
        elif what == "rule" and (rules := [rule for rule in kernel.rules if rule.ours]):
            self.tell(f"somebody deletes rule {rules[choice % len(rules)]}")
        elif what == "nexthop" and (hops := [n for n in kernel.nexthops.values() if n.ours]):
            found = words.nexthop(hops[choice % len(hops)].value)
            self.tell(f"somebody deletes next hop {found.removeprefix('nexthop ')}")
        else:
            return
        self.meddled += 1

    @rule(
        kind=st.sampled_from(
            ["AddRoute", "AddRoute", "ReplaceRoute", "DeleteRoute", "AddNexthop", "AddRule", "DeleteRule"]
        ),
        times=st.integers(1, 3),
    )
    def refuse(self, kind: str, times: int) -> None:
        if self.world.paused or not self.world.answering or not self.world.alive:
            return
        self.tell(f"the kernel refuses {kind} with ENOMEM {times} times")

    @rule()
    def events_lost(self) -> None:
        self.tell("events of the kernel are lost")

    @rule(before=st.none() | st.integers(0, 12))
    def die(self, before: int | None) -> None:
        if self.world.alive:
            self.tell(
                "the daemon is killed" if before is None else f"the daemon will die before operation {before}"
            )

    @rule()
    def start(self) -> None:
        if not self.world.alive:
            self.tell("the daemon starts")

    @rule()
    def pause_or_go_on(self) -> None:
        self.tell("go on" if self.world.paused else "pause")

    @rule()
    def answer_slowly_or_answer(self) -> None:
        self.tell("the kernel is slow to answer" if self.world.answering else "the kernel answers")

    @rule()
    def drain_or_not(self) -> None:
        self.tell("undrain" if self.world.drained else "drain")

    @rule(seconds=st.sampled_from(["0.05", "2", "61", "131"]))
    def wait(self, seconds: str) -> None:
        if self.world.paused:
            return  # what happens meanwhile would happen at another time for the daemon
        self.tell(f"{seconds} seconds pass")
