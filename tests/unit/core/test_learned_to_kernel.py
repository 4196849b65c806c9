"""From announcements to a kernel's table, whatever happens in whatever order: against what it all comes to.

The Loc-RIB, the desired routes that are looked up in it, and the differences to the kernel are kept apart;
this is where they have to agree.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rib.test_loc import PREFIXES, REACHES, at_once, chosen, do, reach
from tests.unit.rib.test_loc import announcements as announced
from tests.unit.rib.test_loc import others as loc_steps
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.routes import Place, Routes
from vrfbgp.model import (
    PROTOCOL,
    Family,
    Inline,
    KernelNexthop,
    KernelRoute,
    NexthopGroup,
    NexthopValue,
    Nlri,
    RouteKey,
    RouteValue,
)
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    DeleteNexthop,
    DeleteRoute,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
    expanded,
)
from vrfbgp.requests import ReadNexthops, ReadRules, ReadTable, ReadTables
from vrfbgp.rib.best import Decision
from vrfbgp.rib.loc import LocRib
from vrfbgp.rib.reach import Reach

V4 = Family.IPV4
PLACES = [Place(500, 20000), Place(501, 20000), Place(500, 30000)]
ALTERED = Inline(9)


class Kernel:
    """Routes and next hops, as strict as the real one with what is handed to it."""

    def __init__(self) -> None:
        self.routes: dict[RouteKey, RouteValue] = {}
        self.nexthops: dict[int, NexthopValue] = {}

    def do(self, operation: Operation) -> None:
        match operation:
            case AddRoute(key, value):
                assert key not in self.routes, f"EEXIST {key}"
                self._check(value)
                self.routes[key] = value
            case ReplaceRoute(key, value):
                assert key in self.routes, f"ENOENT {key}"
                self._check(value)
                self.routes[key] = value
            case DeleteRoute(key):
                assert key in self.routes, f"ESRCH {key}"
                del self.routes[key]
            case AddNexthop(id_, nexthop):
                assert id_ not in self.nexthops, f"EEXIST {id_}"
                self.nexthops[id_] = nexthop
            case ReplaceNexthop(id_, nexthop):
                assert id_ in self.nexthops, f"ENOENT {id_}"
                self.nexthops[id_] = nexthop
            case DeleteNexthop(id_):
                del self.nexthops[id_]
                assert id_ not in self.routes.values(), "it takes routes along"
            case _:
                raise AssertionError(operation)

    def _check(self, value: RouteValue) -> None:
        if isinstance(value, int):
            assert isinstance(self.nexthops.get(value), NexthopGroup), f"no group {value}"


class World:
    """One network and its table."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.reconciler = Reconciler()
        self.routes = Routes(self.reconciler)
        self.loc = LocRib(Decision(16))
        self.at: Place | None = None
        self.serial = 0
        self.loc.set_reach(reach())
        self.move(PLACES[0])

    def place(self) -> None:
        """What the planner does before anybody compares."""
        if self.at is None:
            self.loc.discard_changes()
            return
        for change in self.loc.changes():
            self.routes.learned(self.at, change.family, change.nlris, change.before, change.now)

    def move(self, place: Place | None) -> None:
        self.place()
        if self.at is not None:
            self.routes.close(self.at)
        self.at = place
        if place is not None:
            self.reconciler.tables = frozenset({place.table})
            self.routes.open(place)
            self.answer()
            self.routes.follow(place, self.loc.tables)
            self.loc.choose_again()
            self.place()
            self.bootstrap()

    def bootstrap(self) -> None:
        if self.at is not None:
            self.routes.bootstrap(self.at, V4, {n: Inline(3) for n in self.loc.reach.bootstrap[V4]})

    def answer(self) -> None:
        """Tell the truth about all that is asked for."""
        while requests := self.reconciler.reads():
            for request in requests:
                match request:
                    case ReadTable(table, family):
                        of = [r for r in self.in_kernel() if (r.key.table, r.key.family) == (table, family)]
                        self.reconciler.table_read(table, family, of)
                    case ReadTables():
                        self.reconciler.tables_read({(r.key.table, V4) for r in self.in_kernel()})
                    case ReadRules(family):
                        self.reconciler.rules_read(family, [])
                    case ReadNexthops():
                        found = self.kernel.nexthops.items()
                        nexthops = [KernelNexthop(id_, PROTOCOL, value) for id_, value in found]
                        self.reconciler.nexthops_read(nexthops)

    def in_kernel(self) -> list[KernelRoute]:
        return [in_kernel(key, value) for key, value in self.kernel.routes.items()]

    def write(self) -> bool:
        """Hand out a batch, and have it done."""
        self.serial += 1
        batch = self.reconciler.operations(0.0, self.serial)
        for step in batch:
            for operation in expanded(step):
                self.kernel.do(operation)
        assert not self.reconciler.applied(self.serial, (), 0.0)
        return bool(batch)

    def happen(self, step: tuple[object, ...]) -> None:
        match step:
            case ("write",):
                self.place()
                self.answer()
                self.write()
            case ("read",):
                self.place()
                self.reconciler.read_all()
                self.answer()
            case "reach", Reach() as found:
                self.loc.set_reach(found)
                self.place()
                self.bootstrap()
            case "move", (Place() | None) as place:
                self.move(place)
            case "lose", bytes() as nlri, bool() as backup:
                self.place()
                key = self.key(nlri, backup)
                if (was := self.kernel.routes.pop(key, None)) is not None:
                    self.reconciler.route_gone(in_kernel(key, was))
            case "alter", bytes() as nlri, bool() as backup:
                self.place()
                key = self.key(nlri, backup)
                self.kernel.routes[key] = ALTERED
                self.reconciler.route_seen(in_kernel(key, ALTERED))
            case _:
                do(self.loc, step)

    def key(self, nlri: Nlri, backup: bool) -> RouteKey:
        place = self.at or PLACES[0]
        return RouteKey(place.table, V4, nlri, (place.backup if backup else place).metric)

    def check(self) -> None:
        """All that is kept says the same as the facts do at once."""
        self.place()
        wanted = {} if self.at is None else chosen(at_once(self.loc))
        own = {} if self.at is None else {n: Inline(3) for n in self.loc.reach.bootstrap[V4]}
        for (table, family, metric), slice_ in self.reconciler.slices.items():
            here = self.at is not None and family is V4 and table == self.at.table
            part = {0: "members", 1: "backup"}.get(metric - self.at.metric) if self.at and here else None
            learned = {nlri: m for nlri, found in wanted.items() if (m := getattr(found, part or "", ()))}
            first = own if part == "members" else {}
            told = {
                nlri: self.reconciler.nexthops.members(slot) if isinstance(slot, int) else slot
                for nlri, slot in slice_.desired.items()
            }
            assert told == learned | first
            assert len(slice_.desired) == len(told)
            assert all((nlri in slice_.desired) is (nlri in told) for nlri in PREFIXES)
            desired = dict(slice_.desired.items())
            held = {
                key.nlri: value
                for key, value in self.kernel.routes.items()
                if (key.table, key.family, key.metric) == (table, family, metric)
            }
            assert {n: slice_.actual(n) for n in PREFIXES} == {n: held.get(n) for n in PREFIXES}
            assert dict(slice_.actual_items()) == held
            assert {n: (d, a) for n, d, a in slice_.pending()} == {
                n: (desired.get(n), held.get(n))
                for n in desired.keys() | held.keys()
                if desired.get(n) != held.get(n)
            }

    def come_to_rest(self) -> None:
        self.place()
        for _ in range(6):
            self.answer()
            if not self.write():
                break
        else:
            raise AssertionError("it does not come to rest")
        in_use = {value for value in self.kernel.routes.values() if isinstance(value, int)}
        groups = {id_ for id_, value in self.kernel.nexthops.items() if isinstance(value, NexthopGroup)}
        assert in_use == groups, "a group for each set of next hops in use, and no other"


def in_kernel(key: RouteKey, value: RouteValue) -> KernelRoute:
    if isinstance(value, int):
        return KernelRoute(key, PROTOCOL, nhid=value)
    return KernelRoute(key, PROTOCOL, nexthops=((None, value.ifindex),))


prefixes = st.sampled_from(PREFIXES)
kernel_steps = st.one_of(
    st.tuples(st.sampled_from(["write", "write", "write", "read"])),
    st.tuples(st.just("reach"), st.sampled_from(REACHES)),
    st.tuples(st.just("move"), st.sampled_from([*PLACES, None])),
    st.tuples(st.sampled_from(["lose", "alter"]), prefixes, st.booleans()),
)
each = st.one_of(announced, announced, loc_steps, kernel_steps, kernel_steps)
steps = st.lists(each, min_size=8, max_size=30)


@settings(max_examples=300)
@given(steps)
def test_all_that_is_kept_agrees(happens: list[tuple[object, ...]]) -> None:
    world = World()
    for step in happens:
        world.happen(step)
        if step[0] in ("write", "read", "lose", "alter", "move"):
            world.check()
    world.check()
    world.come_to_rest()
    world.check()
