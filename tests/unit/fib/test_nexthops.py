"""Next hop objects and groups: ids, use counts, adoption after a restart."""

from __future__ import annotations

from ipaddress import ip_address

from vrfbgp.fib.nexthops import FIRST_ID, LAST_ID, Nexthops
from vrfbgp.model import PROTOCOL, KernelNexthop, Member, Members, NexthopGroup, NexthopObject, PeerId
from vrfbgp.operations import AddNexthop, DeleteNexthop, Operation, ReplaceNexthop


def member(gateway: str, peer: str = "192.0.2.1", device: int = 3) -> Member:
    return Member(PeerId("red", ip_address(peer)), ip_address(gateway), device)


A, B = member("172.16.1.1"), member("172.16.1.2")


def apply(nexthops: Nexthops, operations: list[Operation]) -> list[Operation]:
    """As if the kernel had done it."""
    for operation in operations:
        match operation:
            case AddNexthop(id_, value) | ReplaceNexthop(id_, value):
                nexthops.delta.saw(id_, value)
            case DeleteNexthop(id_):
                nexthops.delta.saw(id_, None)
    return operations


def standing(nexthops: Nexthops) -> list[KernelNexthop]:
    return [KernelNexthop(id_, PROTOCOL, value) for id_, value in nexthops.delta.actual_items()]


def test_a_route_hangs_on_a_group_also_of_one() -> None:
    nexthops = Nexthops()
    group = nexthops.acquire((A,))
    assert apply(nexthops, nexthops.creations()) == [
        AddNexthop(FIRST_ID, NexthopObject(A.gateway, 3)),
        AddNexthop(group, NexthopGroup((FIRST_ID,))),
    ]
    assert nexthops.members(group) == (A,)
    assert nexthops.object_ids([A, B]) == {FIRST_ID}
    assert nexthops.devices(group) == {3}


def test_objects_come_before_the_groups_that_need_them() -> None:
    nexthops = Nexthops()
    nexthops.acquire((A,))
    nexthops.acquire((A, B))
    kinds = [type(op.value) for op in nexthops.creations() if isinstance(op, AddNexthop)]
    assert kinds == [NexthopObject, NexthopObject, NexthopGroup, NexthopGroup]


def test_equal_members_share_a_group_and_peers_share_no_object() -> None:
    nexthops = Nexthops()
    assert nexthops.acquire((A, B)) == nexthops.acquire((A, B))
    nexthops.acquire((member("172.16.1.1", peer="192.0.2.9"),))
    objects = [op for op in nexthops.creations() if isinstance(getattr(op, "value", None), NexthopObject)]
    assert len(objects) == 3


def test_with_its_last_route_a_group_goes_and_then_its_objects() -> None:
    nexthops = Nexthops()
    both, one = nexthops.acquire((A, B)), nexthops.acquire((A,))
    nexthops.acquire((A, B))
    apply(nexthops, nexthops.creations())
    nexthops.release(both)
    assert nexthops.deletions() == []
    nexthops.release(both)
    gone = apply(nexthops, nexthops.deletions())
    assert [type(op) for op in gone] == [DeleteNexthop, DeleteNexthop]
    assert gone[0] == DeleteNexthop(both)
    assert nexthops.members(both) == ()
    assert {n.id for n in standing(nexthops)} == {one, FIRST_ID}


def test_what_is_wanted_again_before_it_went_is_taken_up_again() -> None:
    nexthops = Nexthops()
    group = nexthops.acquire((A,))
    apply(nexthops, nexthops.creations())
    nexthops.release(group)
    assert nexthops.acquire((A,)) == group
    assert nexthops.creations() == []
    assert nexthops.deletions() == []


def test_after_a_restart_equal_content_is_adopted_whatever_its_id() -> None:
    nexthops = Nexthops()
    nexthops.read(
        [
            KernelNexthop(FIRST_ID + 70, PROTOCOL, NexthopObject(A.gateway, 3)),
            KernelNexthop(FIRST_ID + 9, PROTOCOL, NexthopObject(B.gateway, 3)),
            KernelNexthop(FIRST_ID + 80, PROTOCOL, NexthopGroup((FIRST_ID + 9, FIRST_ID + 70))),
        ]
    )
    assert nexthops.acquire((A, B)) == FIRST_ID + 80
    assert nexthops.creations() == []
    assert nexthops.deletions() == []


def test_one_object_is_adopted_once() -> None:
    """Two peers behind one gateway: an earlier life's two equal objects, or one, are not taken twice."""
    nexthops = Nexthops()
    nexthops.read([KernelNexthop(FIRST_ID + 5, PROTOCOL, NexthopObject(A.gateway, 3))])
    nexthops.acquire((A,))
    nexthops.acquire((member("172.16.1.1", peer="192.0.2.9"),))
    objects = [op for op in nexthops.creations() if isinstance(getattr(op, "value", None), NexthopObject)]
    assert len(objects) == 1


def test_what_nobody_adopts_goes_groups_first() -> None:
    nexthops = Nexthops()
    nexthops.read(
        [
            KernelNexthop(FIRST_ID, PROTOCOL, NexthopObject(A.gateway, 3)),
            KernelNexthop(FIRST_ID + 1, PROTOCOL, NexthopGroup((FIRST_ID,))),
        ]
    )
    assert nexthops.deletions() == [DeleteNexthop(FIRST_ID + 1), DeleteNexthop(FIRST_ID)]


def test_foreign_ids_and_protocols_are_left_alone_and_avoided() -> None:
    nexthops = Nexthops()
    foreign_protocol = KernelNexthop(FIRST_ID, 186, NexthopObject(A.gateway, 3))
    foreign_id = KernelNexthop(77, PROTOCOL, NexthopObject(A.gateway, 3))
    never_made = KernelNexthop(FIRST_ID + 1, PROTOCOL, None)
    nexthops.read([foreign_protocol, foreign_id, never_made])
    nexthops.acquire((A,))
    made = {op.id for op in nexthops.creations() if isinstance(op, AddNexthop)}
    assert made == {FIRST_ID + 2, FIRST_ID + 3}
    assert nexthops.deletions() == []


def test_what_somebody_altered_is_replaced_in_place() -> None:
    nexthops = Nexthops()
    group = nexthops.acquire((A, B))
    apply(nexthops, nexthops.creations())
    nexthops.read(
        [
            KernelNexthop(FIRST_ID, PROTOCOL, NexthopObject(ip_address("172.16.1.99"), 3)),
            KernelNexthop(FIRST_ID + 1, PROTOCOL, NexthopObject(B.gateway, 3)),
            KernelNexthop(group, PROTOCOL, NexthopGroup((FIRST_ID,))),
        ]
    )
    assert nexthops.creations() == [
        ReplaceNexthop(FIRST_ID, NexthopObject(A.gateway, 3)),
        ReplaceNexthop(group, NexthopGroup((FIRST_ID, FIRST_ID + 1))),
    ]


def test_an_object_in_the_place_of_a_group_is_no_replacement_for_the_kernel() -> None:
    nexthops = Nexthops()
    group = nexthops.acquire((A,))
    apply(nexthops, nexthops.creations())
    nexthops.read(
        [
            KernelNexthop(FIRST_ID, PROTOCOL, NexthopObject(A.gateway, 3)),
            KernelNexthop(group, PROTOCOL, NexthopObject(A.gateway, 3)),
        ]
    )
    assert nexthops.creations() == [DeleteNexthop(group), AddNexthop(group, NexthopGroup((FIRST_ID,)))]


def test_ids_stay_in_their_range() -> None:
    nexthops = Nexthops()
    nexthops._next = LAST_ID
    members: Members = (A,)
    nexthops.acquire(members)
    made = [op.id for op in nexthops.creations() if isinstance(op, AddNexthop)]
    assert made == [LAST_ID, FIRST_ID]


def test_what_waits_for_its_retry_is_not_tried() -> None:
    nexthops = Nexthops()
    group = nexthops.acquire((A,))
    assert nexthops.creations({group}) == [AddNexthop(FIRST_ID, NexthopObject(A.gateway, 3))]
    assert nexthops.creations({FIRST_ID}) == [], "a group waits for its only member"


def test_a_dead_peers_objects_go_and_groups_shrink_with_them() -> None:
    nexthops = Nexthops()
    other = member("172.16.1.1", peer="192.0.2.9")
    alone, both, others = nexthops.acquire((A,)), nexthops.acquire((A, other)), nexthops.acquire((other,))
    apply(nexthops, nexthops.creations())
    assert nexthops.lost(A.peer) == [DeleteNexthop(FIRST_ID)], "the other peer's, of the same gateway, stays"
    assert nexthops.delta.actual(FIRST_ID) is None
    assert nexthops.is_gone(alone)
    assert not nexthops.is_gone(both)
    assert not nexthops.is_gone(others)
    assert nexthops.delta.actual(both) == nexthops.delta.actual(others)
    assert nexthops.lost(A.peer) == [], "it dies but once"


def test_only_what_can_be_ours_can_be_gone() -> None:
    nexthops = Nexthops()
    nexthops.read([KernelNexthop(FIRST_ID, 4, NexthopObject(A.gateway, 3))])
    assert not nexthops.is_gone(77)
    assert not nexthops.is_gone(FIRST_ID)
    assert nexthops.is_gone(FIRST_ID + 1)


def test_a_group_does_without_a_member_that_is_deferred() -> None:
    nexthops = Nexthops()
    group = nexthops.acquire((A, B))
    first, second = FIRST_ID, FIRST_ID + 1
    assert nexthops.creations({first, second}) == []
    assert apply(nexthops, nexthops.creations({second})) == [
        AddNexthop(first, NexthopObject(A.gateway, 3)),
        AddNexthop(group, NexthopGroup((first,))),
    ]
    assert nexthops.carries(group)
    assert nexthops.creations({second}) == [], "it is not written again while it waits"
    assert nexthops.creations() == [
        AddNexthop(second, NexthopObject(B.gateway, 3)),
        ReplaceNexthop(group, NexthopGroup((first, second))),
    ]


def test_a_group_with_a_member_too_many_carries_nothing() -> None:
    nexthops = Nexthops()
    group = nexthops.acquire((A,))
    apply(nexthops, nexthops.creations())
    assert nexthops.carries(group)
    nexthops.delta.saw(group, NexthopGroup((FIRST_ID, LAST_ID)))
    assert not nexthops.carries(group)
    nexthops.delta.saw(group, None)
    assert not nexthops.carries(group)
