"""Makes the kernel what is desired: routes, next hops and rules, in an order that is safe at every step.

One batch holds, in this order,

1. the rules that close (`unreachable`), exempt the cluster and carry the sessions; rules that go because
   they lead into what is another network's table now (see `rules`),
2. next hop objects, then groups, then new and changed routes; routes that go from tables in use,
3. the rules that steer into the tables,
4. rules that go; routes that go from tables that nobody wants any more,
5. groups and objects that nothing points at any more: not in the batch that led the last routes elsewhere,
   but when that is acknowledged, since the kernel may have refused it, and a next hop takes its routes along.

So nothing is steered into a table before its routes stand, what is replaced is never missing in
between, and no gateway's packet can fall through to main. From a table that is not *in sync* nothing is
deleted that an earlier life of ours left there, since it may still be right; unless it leads out by a device
that is no uplink of the network, which is never right. What this life made and no longer wants, goes.

The kernel may refuse any of it. What another takes the place of goes when that other is acknowledged: rules
(`rules`), routes at another metric (`cover`), a network's table (`moves`). And what must be gone first is
acknowledged to be gone: an `unreachable` that would hide other rules, a rule that misleads, the routes of
the network whose table it was (`handover`).

After an operation failed, the truth is read again (`reads`) and the operation is tried again, ever more
slowly, behind all that is new (`retry`, `refused`).

Questions a reviewer asks. Can a foreign object be overwritten? No: creation is exclusive, and REPLACE or
DELETE is made only of what the kernel was seen to hold as ours. What if the kernel says no for ever? The
key stays pending, is reported with its errno, and only what would make a gap or a leak waits for it, and next
hop deletions; routes of a table that a network leaves wait for `moves.PATIENCE` at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType

from vrfbgp.fib.assumed import assume, disbelieve
from vrfbgp.fib.contests import Contests
from vrfbgp.fib.cover import Cover, Slice
from vrfbgp.fib.delta import Delta
from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import FOREIGN, Key, Slot, key_of, slot_of, source_of
from vrfbgp.fib.handover import Handovers
from vrfbgp.fib.moves import Moves
from vrfbgp.fib.nexthops import Nexthops
from vrfbgp.fib.reads import RULES, Reads, everything
from vrfbgp.fib.refused import RefusedRoutes, Waiting, lacked_room
from vrfbgp.fib.retry import Retry
from vrfbgp.fib.rules import RuleChanges, changes, steers
from vrfbgp.fib.writing import Bounds, Writing, devices
from vrfbgp.model import (
    RESERVED_TABLES,
    Family,
    KernelNexthop,
    KernelRoute,
    NexthopValue,
    Nlri,
    PeerId,
    RouteKey,
    Rule,
)
from vrfbgp.operations import (
    AddRule,
    DeleteNexthop,
    DeleteRule,
    Failure,
    RouteRun,
    Step,
)
from vrfbgp.requests import ReadNexthops, ReadRequest, ReadRules, ReadTable, ReadTables


class Reconciler:
    """Desired and actual state of all that is ours in the kernel."""

    def __init__(self) -> None:
        self.nexthops = Nexthops()
        self.slices: dict[Slice, RouteDelta] = {}
        self.rules: Delta[Rule, bool] = Delta()
        self.retry: Retry[Key] = Retry()
        self.contests = Contests()
        self._reads = Reads(*everything())
        self._refused = RefusedRoutes(self.slices, self.retry, self._reads)
        self._cover = Cover()
        self._handovers = Handovers(self.nexthops, self.slices)
        self._writing = Writing(
            self.slices, self.nexthops, self.retry, self.contests, self._cover, self._reads
        )
        self.moves = Moves(self.nexthops, self.slices, self.retry)
        self.guarded: Mapping[int, frozenset[int]] = {}
        """Tables that are not in sync, each with the devices that none of its routes may leave by."""
        self.tables: frozenset[int] = frozenset()
        """The tables that networks have now."""
        self.hold_rules = True
        """It is not known yet what all the rules are to be: none is deleted."""
        self.drained: frozenset[Rule] | None = None
        """Rules that are not wanted only because the node is drained; None: it is not."""
        self.keep_left = False
        """What an earlier life left stays, in all tables: the config doesn't tell whether it is wanted."""
        self._unconfirmed: dict[Rule, int] = {}
        """Rules handed out, to come or to go, and not acknowledged yet, with the serial of their batch."""
        self._replaced = 0
        """Serial of the last batch that led a route elsewhere; next hops are kept until it is acked."""
        self._handed_out = self._acknowledged = 0

    def slice(self, table: int, family: Family, metric: int) -> RouteDelta:
        """The state of one slice; a table that was never read is asked for before it is written."""
        delta = self.slices.get((table, family, metric))
        if delta is None:
            delta = self._open((table, family, metric))
            self._reads.want([ReadTable(table, family)])
        return delta

    def _open(self, of: Slice) -> RouteDelta:
        """A new slice; they are kept in order, those of lower metrics first."""
        opened = {**self.slices, of: RouteDelta()}
        self.slices.clear()
        self.slices.update((key, opened[key]) for key in sorted(opened))
        return opened[of]

    # -- what the kernel says --

    def read_again(self, *requests: ReadRequest) -> None:
        """The truth about these is in doubt."""
        self._reads.want(requests)

    def read_all(self) -> None:
        """Everything is in doubt (events were lost)."""
        self._reads.want(everything())
        self._reads.want(self._all_tables())

    def reads(self) -> list[ReadRequest]:
        """What is to be read now; to be asked for after the operations of the same moment."""
        return self._reads.take()

    def _all_tables(self) -> Iterator[ReadRequest]:
        return (ReadTable(table, family) for table, family, _ in self.slices)

    def tables_read(self, tables: Iterable[tuple[int, Family]]) -> None:
        """These tables hold routes of our protocol; those that are new to us are read."""
        self._reads.answered(ReadTables())
        known = {(table, family) for table, family, _ in self.slices}
        fresh = (of for of in tables if of not in known and of[0] not in RESERVED_TABLES)
        self._reads.want(ReadTable(table, family) for table, family in fresh)

    def table_read(
        self,
        table: int,
        family: Family,
        routes: Iterable[KernelRoute],
        ours: Mapping[int, Mapping[Nlri, int]] = MappingProxyType({}),
    ) -> int:
        """Take over a dump (`TableRead`); the number of our routes that were not as we thought they were."""
        self._reads.answered(ReadTable(table, family))
        found: dict[int, dict[Nlri, Slot]] = {
            metric: {} for t, f, metric in self.slices if (t, f) == (table, family)
        }
        found.update((metric, dict(nexthops)) for metric, nexthops in ours.items())
        for route in routes:
            if route.ours or route.key.metric in found:
                of_metric = found.setdefault(route.key.metric, {})
                slot = slot_of(route)
                if slot is not FOREIGN or route.key.nlri not in of_metric:
                    of_metric[route.key.nlri] = slot
        wrong = 0
        for metric, actual in found.items():
            of = table, family, metric
            delta = self.slices[of] if of in self.slices else self._open(of)
            before = len(delta)
            delta.saw_all(actual)
            self._writing.was_read(of)
            wrong += max(0, len(delta) - before)
        self._forget_settled()
        return wrong

    def route_seen(self, route: KernelRoute) -> bool:
        """Somebody else changed a route; whether it was one of ours, and still bears our protocol."""
        delta = self.slices.get((route.key.table, route.key.family, route.key.metric))
        if delta is None:
            return False
        slot = slot_of(route)
        mine = delta.actual(route.key.nlri)
        delta.saw(route.key.nlri, slot)
        return mine is not None and mine is not FOREIGN and slot is not FOREIGN and mine != slot

    def route_gone(self, route: KernelRoute) -> frozenset[int] | None:
        """A route went, and not by our wish; the devices that it led to if it was one of ours, else None."""
        delta = self.slices.get((route.key.table, route.key.family, route.key.metric))
        if delta is None:
            return None
        mine = delta.actual(route.key.nlri)
        if (mine is FOREIGN) == route.ours:
            return None
        delta.saw(route.key.nlri, None)
        if mine is None or mine is FOREIGN or (isinstance(mine, int) and self.nexthops.is_gone(mine)):
            return None  # What hung on a group went with it, as we wanted.
        return frozenset(devices(mine, self.nexthops))

    def rules_read(self, family: Family, rules: Iterable[Rule]) -> list[Rule]:
        """Take over a dump; the rules that stood and are missing now."""
        self._reads.answered(ReadRules(family))
        ours = {rule: True for rule in rules if rule.ours and not rule.others}
        other_family = {rule: True for rule, _ in self.rules.actual_items() if rule.family is not family}
        stood = [rule for rule, _ in self.rules.actual_items() if rule in self.rules.desired]
        self.rules.saw_all(ours | other_family)
        self._forget_settled()
        return [rule for rule in stood if not self.rules.settled((rule,))]

    def nexthops_read(self, nexthops: Iterable[KernelNexthop]) -> int:
        """Take over a dump; how many were not as we thought they were."""
        self._reads.answered(ReadNexthops())
        before = len(self.nexthops.delta)
        stood = {id_ for id_, _ in self.nexthops.delta.actual_items()}
        self.nexthops.read(nexthops)
        if any(self.nexthops.is_gone(id_) for id_ in stood):
            # Told before the event that tells of it. Made again, it would not bring its routes back.
            # A table that is asked for already is dumped after the next hops: answers come in order.
            self._reads.want_unasked(self._all_tables())
        self._forget_settled()
        return max(0, len(self.nexthops.delta) - before)

    def is_asked(self, request: ReadRequest) -> bool:
        """Whether the answer to this is awaited."""
        return self._reads.is_asked(request)

    def may_steer(self) -> bool:
        """Whether a rule of ours may lead gateways' packets into a table, as far as is known."""
        unread = any(read in self._reads for read in RULES)
        return unread or any(steers(rule) for rule, _ in self.rules.actual_items())

    def is_read(self, table: int) -> bool:
        """Whether what we know of a table is the truth, in both families."""
        return table not in self._reads.tables()

    def applied(self, serial: int, failures: Iterable[Failure], now: float) -> list[Failure]:
        """A batch is through. What the kernel refused is read afresh, then tried again.

        Returned are the failures that are news: not those of something that failed before.
        """
        news = []
        for failure in failures:
            key = key_of(failure.operation)
            if self.retry.failed(key, failure, now) == 1:
                news.append(failure)
            disbelieve(failure.operation, *self._actual)
            if isinstance(failure.operation, DeleteNexthop):
                self.read_all()  # Routes on it count as gone.
            if not lacked_room(failure):
                self.read_again(source_of(key))
        self.retry.applied(serial)
        self._cover.acknowledged(serial)
        self._acknowledged = serial
        for rule in [rule for rule, sent in self._unconfirmed.items() if sent <= serial]:
            del self._unconfirmed[rule]
        return news

    @property
    def at_rest(self) -> bool:
        """Nothing waits for an answer or a retry, and next hops and rules are as desired."""
        return not (
            len(self.retry)
            or self._unconfirmed
            or self._reads
            or self._cover.holds
            or len(self.rules)
            or len(self.nexthops.delta)
        )

    def move(self, network: str, before: int, now: int) -> None:
        """A network that had the one table has the other now."""
        self.moves.begin(network, before, now, self._handed_out)

    def hand_over(self, table: int, network: str) -> None:
        """A table that was another network's is this one's now."""
        self._handovers.begin(table, network, self._handed_out)

    def lost(self, peer: PeerId) -> list[DeleteNexthop]:
        """The peer is dead. These deletions, ahead of all else, end its part in every route at once."""
        return self.nexthops.lost(peer)

    # -- what is to be done --

    def operations(self, now: float, serial: int) -> list[Step]:
        """The next batch; what it holds counts as done until the kernel says otherwise."""
        self._forget_settled()
        self._refused.sort(now)
        waiting = Waiting(self.retry, self.contests, now)
        rules = self._rule_changes(waiting)
        kept = self.moves.kept(rule.table for rule in self._standing_rules())
        batch: list[Step] = []
        if len(self.nexthops.delta) and ReadNexthops() not in self._reads:
            creations = self.nexthops.creations(waiting)
            assume(creations, *self._actual)
            batch += creations
        bounds = Bounds(self.tables, self.guarded, rules.misled | kept, self.keep_left)
        routes = self._writing.changes(now, serial, bounds)
        batch += routes.written
        batch += routes.removals
        self.moves.wrote(serial, batch)
        doubted = self._reads.tables()
        closed = self._handovers.closed(self._acknowledged, doubted)
        arriving = self.moves.arriving(now, self._acknowledged, doubted)
        first: list[Step] = [AddRule(rule) for rule in rules.closing if rule.table not in arriving]
        first += [DeleteRule(rule) for rule in rules.misleading]
        batch[:0] = first
        batch += [AddRule(rule) for rule in rules.steering if rule.table not in closed | arriving]
        batch += [DeleteRule(rule) for rule in rules.going]
        batch += routes.clearances
        written_rules = (step.rule for step in batch if isinstance(step, AddRule | DeleteRule))
        self._unconfirmed.update(dict.fromkeys(written_rules, serial))
        assume(batch, *self._actual)
        self._handovers.wrote(serial, batch)
        if batch:
            self._handed_out = serial
        if routes.lead_elsewhere:
            self._replaced = serial
        if len(self.nexthops.delta) and self._nothing_held():
            deletions = self.nexthops.deletions()
            assume(deletions, *self._actual)
            batch += deletions
        for step in batch:
            if not isinstance(step, RouteRun):
                self.retry.attempted(key_of(step), serial)
        return batch

    def _forget_settled(self) -> None:
        """Drop failures of what has come right by itself, or is no longer wanted."""
        self._refused.forget_released()
        for key in list(self.retry.watched):
            match key:
                case RouteKey():
                    settled = self._refused.is_settled(key)
                case Rule():
                    settled = self.rules.settled((key,))
                case int():
                    settled = self.nexthops.delta.settled((key,))
            if settled and not self.retry.attempting(key) and source_of(key) not in self._reads:
                self.retry.forget(key)

    def _rule_changes(self, waiting: Waiting) -> RuleChanges:
        reads = self._reads
        return changes(
            self.rules,
            may_touch=lambda rule: ReadRules(rule.family) not in reads and rule not in waiting,
            unconfirmed=self._unconfirmed,
            tables=self.tables,
            hold=self.hold_rules,
            partial=self.keep_left,
            drained=self.drained,
            moved=self.moves.tables,
        )

    def _standing_rules(self) -> Iterable[Rule]:
        """The rules that may stand in the kernel."""
        return chain((rule for rule, _ in self.rules.actual_items()), self._unconfirmed)

    @property
    def _actual(self) -> tuple[Mapping[Slice, RouteDelta], Delta[int, NexthopValue], Delta[Rule, bool]]:
        return self.slices, self.nexthops.delta, self.rules

    def _nothing_held(self) -> bool:
        """Whether every route in the kernel is as desired, so that no unwanted next hop is in use."""
        if self._reads or self._acknowledged < self._replaced:
            return False
        return all(
            actual is FOREIGN or actual is None
            for delta in self.slices.values()
            for _, _, actual in delta.pending()
        )
