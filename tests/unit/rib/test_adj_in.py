"""Adj-RIB-In: what is accepted, what is refused and why, what is stale."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.filters import FilterRule, Operations
from vrfbgp.model import Attributes, Chosen, Family, Member, Path, PeerId, nlri_of
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.policy import ImportPolicy, is_martian
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.table import Table
from vrfbgp.rib.update import Unsuspected

PEER = PeerId("red", ip_address("172.16.1.1"))
POLICY = ImportPolicy(64512, IPv4Address("10.0.0.1"))
P, Q, MARTIAN = (nlri_of(ip_network(text)) for text in ("192.0.2.0/24", "198.51.100.0/24", "127.0.0.0/8"))


def path(*as_path: int, med: int | None = None) -> Path:
    attributes = Attributes(ip_address("172.16.1.1"), as_path=((2, as_path),), med=med)
    return Path(PEER, attributes, internal=False, router_id=1)


class Anything:
    """Chooses the first path, whatever it is."""

    def sole(self, path: Path) -> Chosen:
        return Chosen((Member(path.peer, path.attributes.next_hop, path.attributes.med or 0),))

    def among(self, paths: tuple[Path, ...]) -> Chosen:
        return self.sole(paths[0])


def adj(*nlris: bytes) -> AdjRibIn:
    made = AdjRibIn(PEER, Table(Family.IPV4, Anything()))
    made.announce(nlris, path(64501), POLICY)
    return made


def test_a_refused_prefix_is_kept_with_its_reason_and_not_among_the_accepted() -> None:
    made = adj()
    made.announce([P, MARTIAN], path(64501), POLICY)
    assert list(made.paths) == [P]
    assert made.refused[MARTIAN][1] is Refusal.MARTIAN
    assert len(made) == 2
    made.withdraw([MARTIAN, MARTIAN])
    assert len(made) == 1


def test_an_accepted_prefix_whose_new_path_is_refused_goes() -> None:
    made = adj(P)
    made.announce([P], path(64512), POLICY)
    assert P not in made.paths
    assert made.refused[P][1] is Refusal.OWN_AS
    made.announce([P], path(64501), POLICY)
    assert P not in made.refused


def test_what_is_not_announced_again_is_swept() -> None:
    made = adj(P, Q)
    made.announce([MARTIAN], path(64501), POLICY)
    made.mark_stale()
    assert (made.stale, made.stale_refused) == ({P, Q}, {MARTIAN})
    made.announce([P], path(64501), POLICY)
    assert made.sweep() == 2
    assert list(made.paths) == [P]
    assert len(made) == 1
    assert made.sweep() == 0


def test_a_withdrawn_prefix_is_no_longer_stale() -> None:
    made = adj(P)
    made.mark_stale()
    made.withdraw([P])
    made.announce([P], path(64501), POLICY)
    assert made.sweep() == 0


def test_a_new_policy_is_asked_about_everything_and_leaves_stale_what_is_stale() -> None:
    made = adj(P, Q)
    made.announce([Q], path(64512), POLICY)
    made.mark_stale()
    lenient = ImportPolicy(64512, IPv4Address("10.0.0.1"), allowed_local_as=1)
    made.reconsider(lenient)
    assert (set(made.paths), set(made.refused)) == ({P, Q}, set())
    made.reconsider(POLICY)
    assert (set(made.paths), set(made.refused)) == ({P}, {Q})
    assert (made.stale, made.stale_refused) == ({P}, {Q})


def test_clear_forgets_all() -> None:
    made = adj(P, Q)
    made.announce([MARTIAN], path(64501), POLICY)
    made.mark_stale()
    made.clear()
    assert len(made) == 0
    assert made.stale == made.stale_refused == set()


PREFIXES = [bytes((24, first, 0, last)) for first in (10, 127, 192) for last in range(3)]
PATHS = [path(*ases, med=med) for ases in ((64501,), (64501, 64512)) for med in (1, 2)]
PATHS += [replace(one, attributes=replace(one.attributes)) for one in PATHS]
"""Each twice: equal, and not the same."""
some = st.lists(st.sampled_from(PREFIXES), max_size=5)
steps = st.one_of(
    st.tuples(st.just("announce"), some, st.sampled_from(PATHS)),
    st.tuples(st.just("withdraw"), some),
    st.tuples(st.just("stale")),
    st.tuples(st.just("sweep")),
)


@given(st.lists(steps, max_size=12))
def test_it_is_what_one_prefix_after_the_other_would_make_of_it(script: list[Any]) -> None:
    made, accepted, refused, stale = adj(), dict[Any, Any](), dict[Any, Any](), set[Any]()
    for step, *how in script:
        match step:
            case "announce":
                nlris, one = how
                for nlri in nlris:
                    reason = POLICY.refuses(one.attributes) or POLICY.refuses_prefix(Family.IPV4, nlri)
                    stale.discard(nlri)
                    accepted.pop(nlri, None)
                    refused.pop(nlri, None)
                    if reason:
                        refused[nlri] = one, reason, ""
                    else:
                        accepted[nlri] = one
                safe = not any(is_martian(Family.IPV4, nlri) for nlri in nlris)
                made.announce(Unsuspected(nlris) if safe else tuple(nlris), one, POLICY)
            case "withdraw" | "sweep":
                gone = how[0] if how else stale
                made.withdraw(gone) if how else made.sweep()
                for nlri in list(gone):
                    stale.discard(nlri)
                    accepted.pop(nlri, None)
                    refused.pop(nlri, None)
            case _:
                made.mark_stale()
                stale = {*accepted, *refused}
        assert (made.paths, made.refused) == (accepted, refused)
        assert (made.stale, made.stale_refused) == (stale & accepted.keys(), stale & refused.keys())
        assert len(made) == len(accepted) + len(refused)


def test_a_path_equal_to_the_one_that_is_there_does_not_take_its_place() -> None:
    """So that paths which a peer announces again, after a refresh, don't exist twice."""
    made = adj(P, Q)
    kept = made.paths[P]
    made.announce(Unsuspected([P, Q]), path(64501), POLICY)
    assert made.paths[P] is made.paths[Q] is kept


def test_p16_new_rules_are_asked_about_the_path_as_it_came() -> None:
    made = adj()
    tag = FilterRule("tag", True, operations=Operations(prepend=(65010,)))
    keep = FilterRule("keep", False)
    one = path(64501)
    made.announce([P], one, replace(POLICY, rules_v4=(tag,)))
    assert made.paths[P].attributes.as_path == ((2, (65010, 64501)),)
    made.reconsider(replace(POLICY, rules_v4=(replace(tag, name="again"),)))
    assert made.paths[P].attributes.as_path == ((2, (65010, 64501)),)
    made.reconsider(replace(POLICY, rules_v4=(keep,)))
    assert made.refused == {P: (one, Refusal.FILTER, "keep")}
    made.reconsider(POLICY)
    assert (made.paths, made.refused) == ({P: one}, {})


def test_of_what_is_refused_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrfbgp.rib.adj_in.GUARDED", 4)
    made = adj()
    martians = [bytes((24, 127, 0, last)) for last in range(9)]
    made.announce(martians[:3], path(64501), POLICY)
    assert not made.forgot
    made.announce(martians[2:], path(64501), POLICY)
    assert list(made.refused) == martians[:4]
    assert made.forgot
    assert not made.paths
