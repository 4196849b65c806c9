"""Next hop objects and groups: who uses them, which ids they have, what the kernel holds.

A learned route always points at a group, also of one member (the kernel refuses to replace an object by
a group or a group by an object). An object stands for one (peer, gateway, device): two peers that share
a gateway have objects of their own, so that the death of one says nothing of the other.

Ids start at `FIRST_ID`. They carry no meaning, so after a restart what the kernel still holds is adopted
by content: an object by gateway and device, a group by its members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable

from vrfbgp.fib.delta import Delta
from vrfbgp.model import (
    KernelNexthop,
    Member,
    Members,
    NexthopGroup,
    NexthopObject,
    NexthopValue,
    PeerId,
)
from vrfbgp.operations import AddNexthop, DeleteNexthop, Operation, ReplaceNexthop

FIRST_ID = 0xB3000000
LAST_ID = 0xB3FFFFFF
"""zebra's own ids end below this range; its counter follows foreign ids only in its own."""


def is_ours(nexthop: KernelNexthop) -> bool:
    """Ours by protocol and by id: both, so that neither a foreign id nor a foreign protocol is touched."""
    return nexthop.ours and FIRST_ID <= nexthop.id <= LAST_ID


class Nexthops:
    """The registry: groups by their members, counted by the routes that use them."""

    def __init__(self) -> None:
        self.delta: Delta[int, NexthopValue] = Delta()
        self._ids: dict[Member | Members, int] = {}
        self._used_by: dict[int, Member | Members] = {}
        self._uses: Counter[int] = Counter()
        self._foreign: set[int] = set()
        self._orphans: dict[NexthopValue, int] = {}
        """What is in the kernel and wanted by nobody, by content."""
        self._next = FIRST_ID

    def acquire(self, members: Members, routes: int = 1) -> int:
        """The id of the group of these members, for so many more routes."""
        group = self._ids.get(members)
        if group is None:
            ids = tuple(sorted(self._acquire_object(member) for member in members))
            group = self._assign(members, NexthopGroup(ids))
        self._uses[group] += routes
        return group

    def release(self, group: int, routes: int = 1) -> None:
        """So many routes less use this group; with the last it is no longer wanted."""
        self._uses[group] -= routes
        if self._uses[group]:
            return
        members = self._used_by[group]
        assert isinstance(members, tuple)
        self._retire(group)
        for member in members:
            object_id = self._ids[member]
            self._uses[object_id] -= 1
            if not self._uses[object_id]:
                self._retire(object_id)

    def members(self, group: int) -> Members:
        """What a group of ours stands for; empty if it is not wanted by us."""
        members = self._used_by.get(group, ())
        return members if isinstance(members, tuple) else ()

    def is_gone(self, id_: int) -> bool:
        """Whether it is an id of ours that the kernel doesn't have."""
        return FIRST_ID <= id_ <= LAST_ID and self.delta.actual(id_) is None and id_ not in self._foreign

    def devices(self, id_: int) -> set[int]:
        """The devices that a next hop of the kernel leads to, ours of an earlier life included."""
        value = self.delta.actual(id_)
        if isinstance(value, NexthopObject):
            return {value.ifindex}
        return {device for member in value.members for device in self.devices(member)} if value else set()

    def lost(self, peer: PeerId) -> list[DeleteNexthop]:
        """The peer is dead: its objects are to go, and groups shrink with them, as if that were done."""
        gone = {
            id_
            for user, id_ in self._ids.items()
            if isinstance(user, Member) and user.peer == peer and self.delta.actual(id_) is not None
        }
        for id_, value in list(self.delta.actual_items()):
            if id_ in gone:
                self.delta.saw(id_, None)
            elif isinstance(value, NexthopGroup) and not gone.isdisjoint(value.members):
                left = tuple(member for member in value.members if member not in gone)
                self.delta.saw(id_, NexthopGroup(left) if left else None)
        return [DeleteNexthop(id_) for id_ in sorted(gone)]

    def object_ids(self, members: Iterable[Member]) -> set[int]:
        return {self._ids[member] for member in members if member in self._ids}

    def read(self, nexthops: Iterable[KernelNexthop]) -> None:
        """Take over a dump of the kernel."""
        found: dict[int, NexthopValue] = {}
        self._foreign.clear()
        for nexthop in nexthops:
            if is_ours(nexthop) and nexthop.value is not None:
                found[nexthop.id] = nexthop.value
            else:
                self._foreign.add(nexthop.id)
        self.delta.saw_all(found)
        self._orphans = {value: id_ for id_, value in found.items() if id_ not in self._used_by}

    def creations(self, deferred: Container[object] = ()) -> list[Operation]:
        """Objects before the groups that need them; a group does without members that are deferred."""
        objects: list[Operation] = []
        groups: list[Operation] = []
        lacking: set[int] = set()
        off = [(id_, desired, actual) for id_, desired, actual in self.delta.pending() if desired is not None]
        for id_, desired, actual in off:
            if isinstance(desired, NexthopObject):
                if id_ in deferred:
                    lacking.add(id_)
                else:
                    objects += _made(id_, desired, actual)
        for id_, desired, actual in off:
            if isinstance(desired, NexthopGroup) and id_ not in deferred:
                members = tuple(member for member in desired.members if member not in lacking)
                if members and NexthopGroup(members) != actual:
                    groups += _made(id_, NexthopGroup(members), actual)
        return objects + groups

    def carries(self, id_: int) -> bool:
        """Whether routes may be put on a next hop of ours: as desired, or a group that only lacks members."""
        if self.delta.settled((id_,)):
            return True
        desired, actual = self.delta.desired.get(id_), self.delta.actual(id_)
        if not (isinstance(desired, NexthopGroup) and isinstance(actual, NexthopGroup)):
            return False
        return all(member in desired.members and self.delta.settled((member,)) for member in actual.members)

    def deletions(self) -> list[Operation]:
        """What nobody wants, an earlier life of ours included; groups before their objects.

        Only for when no route in the kernel can still point at them: deleting a next hop deletes those.
        """
        gone = [(id_, actual) for id_, desired, actual in self.delta.pending() if desired is None]
        for _, value in gone:
            if value is not None:
                self._orphans.pop(value, None)
        groups: list[Operation] = [DeleteNexthop(id_) for id_, v in gone if isinstance(v, NexthopGroup)]
        return groups + [DeleteNexthop(id_) for id_, v in gone if isinstance(v, NexthopObject)]

    def _acquire_object(self, member: Member) -> int:
        id_ = self._ids.get(member)
        if id_ is None:
            id_ = self._assign(member, NexthopObject(member.gateway, member.ifindex))
        self._uses[id_] += 1
        return id_

    def _assign(self, user: Member | Members, value: NexthopValue) -> int:
        id_ = self._adoptable(value) or self._fresh()
        self._ids[user] = id_
        self._used_by[id_] = user
        self.delta.want(id_, value)
        return id_

    def _adoptable(self, value: NexthopValue) -> int | None:
        id_ = self._orphans.pop(value, None)
        if id_ is None or id_ in self._used_by or self.delta.actual(id_) != value:
            return None
        return id_

    def _fresh(self) -> int:
        while True:
            id_ = self._next
            self._next = FIRST_ID if id_ == LAST_ID else id_ + 1
            if id_ not in self._used_by and id_ not in self._foreign and self.delta.actual(id_) is None:
                return id_

    def _retire(self, id_: int) -> None:
        del self._ids[self._used_by.pop(id_)]
        del self._uses[id_]
        self.delta.unwant(id_)
        if (actual := self.delta.actual(id_)) is not None:
            self._orphans[actual] = id_


def _made(id_: int, desired: NexthopValue, actual: NexthopValue | None) -> list[Operation]:
    if actual is None:
        return [AddNexthop(id_, desired)]
    if type(actual) is type(desired):
        return [ReplaceNexthop(id_, desired)]
    return [DeleteNexthop(id_), AddNexthop(id_, desired)]
