"""The decision process, against RFC 4271 9.1.2.2 as it is written there, pair by pair and loop by loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vrfbgp.model import Attributes, Origin, Path, PeerId
from vrfbgp.rib.best import Decision, Selection, Verdict, select


def path(
    number: int = 1,
    *,
    as_path: Sequence[int | tuple[int, tuple[int, ...]]] = (64501,),
    origin: Origin = Origin.IGP,
    med: int | None = None,
    local_pref: int | None = None,
    internal: bool = False,
    router_id: int | None = None,
    originator: str | None = None,
    clusters: Sequence[str] = (),
    address: str | None = None,
) -> Path:
    """A path of peer 172.16.1.`number`, whose router id is `number` too."""
    segments = tuple((2, (item,)) if isinstance(item, int) else item for item in as_path)
    attributes = Attributes(
        next_hop=IPv4Address(f"172.16.1.{number}"),
        origin=origin,
        as_path=segments,
        med=med,
        local_pref=local_pref,
        originator_id=IPv4Address(originator) if originator else None,
        cluster_list=tuple(IPv4Address(cluster) for cluster in clusters),
    )
    peer = PeerId("red", ip_address(address or f"172.16.1.{number}"))
    return Path(peer, attributes, internal, number if router_id is None else router_id)


def test_nothing_to_select_from() -> None:
    assert select([], max_paths=16) == Selection(())


def test_a_single_path_is_the_best() -> None:
    only = path()
    found = select([only], max_paths=16)
    assert found.best == (only,)
    assert found.why_not(only) is Verdict.BEST
    assert found.why_not(path(2)) is None


def test_p10_equal_paths_of_different_neighbour_ases_share_the_traffic() -> None:
    one, two = path(1, as_path=[64501, 7]), path(2, as_path=[64502, 9])
    found = select([two, one], max_paths=16)
    assert found.best == (one, two)
    assert [found.why_not(each) for each in (one, two)] == [Verdict.BEST, Verdict.MULTIPATH]


def test_p10_the_shorter_as_path_is_used_alone() -> None:
    short, long = path(2, as_path=[64502]), path(1, as_path=[64501, 64501])
    found = select([long, short], max_paths=16)
    assert found == Selection((short,), ((long, Verdict.AS_PATH_LENGTH),))


def test_p11_no_more_than_max_paths() -> None:
    paths = [path(number) for number in range(20, 0, -1)]
    found = select(paths, max_paths=16)
    assert [each.router_id for each in found.best] == list(range(1, 17))
    assert found.lost == tuple((path(number), Verdict.MAX_PATHS) for number in range(17, 21))
    assert len(select(paths, max_paths=3).best) == 3
    assert len(select(paths, max_paths=64).best) == 20


LOSES: list[tuple[Path, Path, Verdict]] = [
    (path(2, local_pref=101), path(1, local_pref=100), Verdict.LOCAL_PREF),
    (path(2, local_pref=101, as_path=[1, 2, 3]), path(1), Verdict.LOCAL_PREF),
    (path(2), path(1, local_pref=99), Verdict.LOCAL_PREF),
    (path(2, as_path=[(1, (1, 2, 3))]), path(1, as_path=[1, 2]), Verdict.AS_PATH_LENGTH),
    (path(2, as_path=[(3, (1, 2, 3)), 64501]), path(1, as_path=[64501, 5]), Verdict.AS_PATH_LENGTH),
    (path(2, as_path=[1]), path(1, as_path=[1, 2], origin=Origin.IGP), Verdict.AS_PATH_LENGTH),
    (path(2, origin=Origin.IGP), path(1, origin=Origin.EGP), Verdict.ORIGIN),
    (path(2, origin=Origin.EGP, med=9), path(1, origin=Origin.INCOMPLETE), Verdict.ORIGIN),
    (path(2, med=1), path(1, med=2), Verdict.MED),
    (path(2), path(1, med=1), Verdict.MED),
    (path(2, med=1, internal=True), path(1, med=2), Verdict.MED),
    (path(2), path(1, internal=True), Verdict.EXTERNAL_PREFERRED),
    (path(2, as_path=[7]), path(1, as_path=[64502], med=0, internal=True), Verdict.EXTERNAL_PREFERRED),
]


@pytest.mark.parametrize(("better", "worse", "verdict"), LOSES)
def test_the_steps_that_exclude(better: Path, worse: Path, verdict: Verdict) -> None:
    for order in ([better, worse], [worse, better]):
        assert select(order, max_paths=16) == Selection((better,), ((worse, verdict),))


ORDERED: list[tuple[Path, Path, Verdict]] = [
    (path(1), path(2), Verdict.ROUTER_ID),
    (path(9, router_id=2), path(1, router_id=3), Verdict.ROUTER_ID),
    (path(9, internal=True, originator="0.0.0.1"), path(2, internal=True), Verdict.ROUTER_ID),
    (
        path(9, internal=True, router_id=5, clusters=["1.1.1.1"]),
        path(1, internal=True, router_id=5, clusters=["1.1.1.1", "2.2.2.2"]),
        Verdict.CLUSTER_LIST,
    ),
    (path(9, router_id=5, address="9.0.0.0"), path(1, router_id=5, address="10.0.0.0"), Verdict.PEER_ADDRESS),
]


@pytest.mark.parametrize(("first", "second", "verdict"), ORDERED)
def test_the_steps_that_only_order(first: Path, second: Path, verdict: Verdict) -> None:
    for order in ([first, second], [second, first]):
        assert select(order, max_paths=16) == Selection((first, second))
        assert select(order, max_paths=1) == Selection((first,), ((second, verdict),))


def test_med_does_not_compare_between_neighbour_ases() -> None:
    high, low = path(1, as_path=[64501], med=100), path(2, as_path=[64502], med=1)
    assert select([high, low], max_paths=16).best == (high, low)
    always = select([high, low], max_paths=16, always_compare_med=True)
    assert always == Selection((low,), ((high, Verdict.MED),))


def test_med_within_groups_does_not_depend_on_arrival() -> None:
    """The order that makes comparing pair by pair come out differently (RFC 4451 3.4)."""
    a = path(3, as_path=[100], med=10)
    b = path(2, as_path=[200], med=1)
    c = path(1, as_path=[100], med=20)
    for order in ([a, b, c], [c, b, a], [b, c, a], [c, a, b]):
        found = select(order, max_paths=1)
        assert found.best == (b,)
        assert found.why_not(c) is Verdict.MED


def test_med_of_paths_that_the_own_as_originated_compares() -> None:
    low, high = path(2, as_path=[], internal=True, med=1), path(1, as_path=[], internal=True, med=2)
    assert select([high, low], max_paths=16).why_not(high) is Verdict.MED


def test_med_of_external_paths_that_name_no_neighbour_does_not_compare() -> None:
    one, two = path(1, as_path=[(1, (7, 8))], med=1), path(2, as_path=[(1, (7, 8))], med=2)
    assert select([one, two], max_paths=16).best == (one, two)


# -- the reference: RFC 4271 9.1.2.2, step by step and as the RFC words it --------------------------


def test_p10_without_relax_only_paths_with_the_best_ones_as_path_stand_beside_it() -> None:
    best, other = path(1, as_path=[64501, 7]), path(2, as_path=[64501, 9])
    like, alike = path(3, as_path=[64501, 7]), path(4, as_path=[64501, 7])
    worse = path(5, as_path=[64501, 7, 8])
    found = select([other, alike, like, worse, best], max_paths=2, multipath_relax=False)
    assert found.best == (best, like)
    told = [found.why_not(one) for one in (other, alike, worse)]
    assert told == [Verdict.AS_PATH, Verdict.MAX_PATHS, Verdict.AS_PATH_LENGTH]
    alone = select([best, other], max_paths=1, multipath_relax=False)
    assert alone.why_not(other) is Verdict.ROUTER_ID, "there is one path anyway"


def test_med_compares_between_neighbour_ases_if_it_is_to() -> None:
    one, two = path(1, med=7), path(2, as_path=[64502], med=6)
    assert select([one, two], max_paths=16).best == (one, two)
    found = select([one, two], max_paths=16, always_compare_med=True)
    assert (found.best, found.why_not(one)) == ((two,), Verdict.MED)


def reference(paths: Sequence[Path], always_compare_med: bool) -> list[Path]:
    """What is left after step d); the pseudo-code of step c) is the RFC's."""

    def preferred(degree: Callable[[Path], int], left: list[Path]) -> list[Path]:
        return [one for one in left if not any(degree(other) > degree(one) for other in left)]

    def neighbor(one: Path) -> object:
        for kind, numbers in one.attributes.as_path:
            if kind == 2:
                return numbers[0]
            if kind == 1:
                break
        return "own" if one.internal else one.peer

    left = preferred(
        lambda one: 100 if one.attributes.local_pref is None else one.attributes.local_pref, list(paths)
    )
    left = preferred(lambda one: -one.attributes.as_path_length, left)
    left = preferred(lambda one: -one.attributes.origin, left)
    removed = []
    for m in left:
        for n in left:
            same = always_compare_med or neighbor(n) == neighbor(m)
            if same and (n.attributes.med or 0) < (m.attributes.med or 0):
                removed.append(m)
    left = [one for one in left if one not in removed]
    if any(not one.internal for one in left):
        left = [one for one in left if not one.internal]
    return left


few = st.integers(1, 3)
segments = st.tuples(st.sampled_from([2, 2, 2, 1, 3]), st.lists(few, min_size=1, max_size=2).map(tuple))
some_paths = st.builds(
    lambda number, as_path, origin, med, pref, internal, router, originator, clusters: path(
        number,
        as_path=as_path,
        origin=origin,
        med=med,
        local_pref=pref,
        internal=internal,
        router_id=router,
        originator=originator,
        clusters=["1.1.1.1"] * clusters,
    ),
    st.integers(1, 200),
    st.lists(segments, max_size=2),
    st.sampled_from([Origin.IGP, Origin.IGP, Origin.EGP]),
    st.none() | st.integers(0, 2),
    st.sampled_from([None, None, 100, 101]),
    st.booleans(),
    few,
    st.none() | st.sampled_from(["0.0.0.1", "0.0.0.2"]),
    st.integers(0, 2),
)
candidates = st.lists(some_paths, max_size=7, unique_by=lambda one: one.peer)


@settings(max_examples=200, deadline=None)
@given(candidates, st.integers(1, 8), st.booleans())
def test_all_that_is_left_by_the_reference_is_used(paths: list[Path], most: int, always: bool) -> None:
    found = select(paths, max_paths=most, always_compare_med=always)
    left = reference(paths, always)
    assert set(found.best) <= set(left)
    assert len(found.best) == min(most, len(left))
    excluded = {one for one, verdict in found.lost if verdict not in LAST}
    assert excluded == set(paths) - set(left)


LAST = {Verdict.MAX_PATHS, Verdict.ROUTER_ID, Verdict.CLUSTER_LIST, Verdict.PEER_ADDRESS}


@settings(deadline=None)
@given(st.data(), candidates, st.integers(1, 8), st.booleans())
def test_the_order_of_arrival_changes_nothing(
    data: st.DataObject, paths: list[Path], most: int, always: bool
) -> None:
    found = select(paths, max_paths=most, always_compare_med=always)
    other = select(data.draw(st.permutations(paths)), max_paths=most, always_compare_med=always)
    assert other.best == found.best
    assert set(other.lost) == set(found.lost)


@settings(deadline=None)
@given(candidates, st.integers(1, 8))
def test_every_path_has_one_verdict(paths: list[Path], most: int) -> None:
    found = select(paths, max_paths=most)
    assert sorted(map(id, (*found.best, *(one for one, _ in found.lost)))) == sorted(map(id, paths))
    for number, one in enumerate(found.best):
        assert found.why_not(one) is (Verdict.MULTIPATH if number else Verdict.BEST)
    for one, verdict in found.lost:
        assert found.why_not(one) is verdict
        assert verdict not in (Verdict.BEST, Verdict.MULTIPATH)


@settings(deadline=None)
@given(candidates)
def test_where_med_always_compares_the_best_wins_every_pair(paths: list[Path]) -> None:
    for other in paths:
        best = select(paths, max_paths=1, always_compare_med=True).best[0]
        assert select([other, best], max_paths=1, always_compare_med=True).best == (best,)


@settings(deadline=None)
@given(candidates)
def test_the_best_is_the_first_of_those_used_whatever_their_number(paths: list[Path]) -> None:
    all_used = select(paths, max_paths=16).best
    for most in range(1, 9):
        assert select(paths, max_paths=most).best == all_used[:most]


@given(candidates.filter(bool), st.integers(1, 8), st.booleans(), st.booleans())
def test_those_used_are_the_best(paths: list[Path], most: int, always: bool, relax: bool) -> None:
    found = select(paths, max_paths=most, always_compare_med=always, multipath_relax=relax)
    decision = Decision(most, always, relax)
    assert decision.used(paths) == decision.select(paths).best == found.best
    if not relax:
        [as_path] = {one.attributes.as_path for one in found.best}
        likes = [one for one in reference(paths, always) if one.attributes.as_path == as_path]
        assert len(found.best) == min(most, len(likes))


def test_paths_of_one_peer_have_an_order_too() -> None:
    """With path identifiers one peer announces several (RFC 7911)."""
    one, two = path(1), path(1, as_path=[64999])
    assert select([one, two], max_paths=16).best == select([two, one], max_paths=16).best
