"""Loc-RIB: what comes out step by step is what would come out of the same facts at once."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vrfbgp.model import NO_ROUTE, Attributes, Chosen, Family, IPAddress, Nlri, Path, PeerId, nlri_of
from vrfbgp.rib import nexthops
from vrfbgp.rib.best import Decision
from vrfbgp.rib.loc import LocRib
from vrfbgp.rib.policy import ImportPolicy
from vrfbgp.rib.reach import Reach, Way
from vrfbgp.rib.refusal import Refusal

V4 = Family.IPV4
POLICY = ImportPolicy(64512, IPv4Address("10.0.0.1"))
PEERS = [PeerId("red", ip_address(f"172.16.1.{n}")) for n in (1, 2, 3)]
SUBNET = nlri_of(ip_network("172.16.1.0/24"))


def reach(
    *,
    ways: dict[str, tuple[str | None, int]] | None = None,
    uplinks: tuple[int, ...] = (3,),
    down: bool = False,
) -> Reach:
    """What a network reaches: its subnet on device 3, unless told."""
    found = {"172.16.1.0/24": (None, 3)} if ways is None else ways
    of_family: dict[Nlri, tuple[Way, ...]] = {
        nlri_of(ip_network(prefix)): (Way(ip_address(gateway) if gateway else None, device),)
        for prefix, (gateway, device) in found.items()
    }
    return Reach(
        uplinks=frozenset(uplinks),
        running=frozenset() if down else frozenset(uplinks),
        ways={V4: of_family, Family.IPV6: {}},
        bootstrap={V4: frozenset(of_family), Family.IPV6: frozenset()},
        local=frozenset({ip_address("172.16.1.10")}),
    )


def path(peer: PeerId, next_hop: IPAddress, length: int = 1, local_pref: int | None = None) -> Path:
    attributes = Attributes(
        next_hop, as_path=((2, tuple(range(64501, 64501 + length))),), local_pref=local_pref
    )
    return Path(peer, attributes, internal=False, router_id=int(peer.address))


def take(loc: LocRib, told: dict[Nlri, Chosen]) -> None:
    """Keep what was told up to date; each step must begin where the one before ended."""
    for change in loc.changes():
        for nlri in change.nlris:
            assert told.get(nlri, NO_ROUTE) == change.before != change.now
            told[nlri] = change.now
    for nlri in [nlri for nlri, chosen in told.items() if chosen == NO_ROUTE]:
        del told[nlri]


def chosen(loc: LocRib) -> dict[Nlri, Chosen]:
    """All that is chosen now."""
    told: dict[Nlri, Chosen] = {}
    loc.choose_again()
    take(loc, told)
    return told


def looked_up(loc: LocRib) -> dict[Nlri, Chosen]:
    """The same, as one who looks has it."""
    found = {nlri: now for nlri, now in loc.tables[V4].runs() if now.members}
    assert found == {nlri: now for nlri, now in loc.tables[V4].items() if now.members}
    return found


def hops(loc: LocRib, prefix: str) -> list[str]:
    return [str(m.gateway) for m in chosen(loc).get(nlri_of(ip_network(prefix)), NO_ROUTE).members]


def announce(loc: LocRib, peer: PeerId, prefix: str, next_hop: str, **options: int) -> None:
    loc.announce(peer, V4, [nlri_of(ip_network(prefix))], path(peer, ip_address(next_hop), **options), POLICY)


def loc_rib(**options: object) -> LocRib:
    loc = LocRib(Decision(16))
    loc.set_reach(reach(**options))  # type: ignore[arg-type]
    list(loc.changes())
    return loc


# -- by example ----------------------------------------------------------------------------------


def test_equal_paths_go_together_and_a_worse_one_does_not() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    announce(loc, PEERS[1], "192.0.2.0/24", "172.16.1.2")
    announce(loc, PEERS[2], "192.0.2.0/24", "172.16.1.3", length=2)
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.1", "172.16.1.2"]
    loc.configure(Decision(1), True)
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.1"]


def test_only_what_may_have_come_out_different_is_told() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    assert [change.nlris for change in loc.changes()] == [[nlri_of(ip_network("192.0.2.0/24"))]]
    assert list(loc.changes()) == []
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    assert list(loc.changes()) == []


def test_the_last_word_on_a_prefix_counts() -> None:
    loc = loc_rib()
    prefix = nlri_of(ip_network("192.0.2.0/24"))
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    loc.withdraw(PEERS[0], V4, [prefix])
    told: dict[Nlri, Chosen] = {}
    take(loc, told)
    assert told == {}
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    announce(loc, PEERS[1], "192.0.2.0/24", "172.16.1.2", local_pref=300)
    take(loc, told)
    assert [str(member.gateway) for member in told[prefix].members] == ["172.16.1.2"]


def test_an_unresolved_best_path_leaves_the_field_to_the_next() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "192.0.2.0/24", "10.9.9.9")
    announce(loc, PEERS[1], "192.0.2.0/24", "172.16.1.2", length=3)
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.2"]


def test_a_link_that_goes_down_takes_the_routes_and_gives_them_back() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.1"]
    loc.set_reach(reach(down=True))
    assert hops(loc, "192.0.2.0/24") == []
    (only,) = loc.candidates(V4, nlri_of(ip_network("192.0.2.0/24")))
    assert loc.ineligible(V4, nlri_of(ip_network("192.0.2.0/24")), only) is Refusal.NEXT_HOP_LINK_DOWN
    loc.set_reach(reach())
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.1"]


def test_a_bootstrap_prefix_is_never_a_learned_route() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "172.16.1.0/24", "172.16.1.1")
    assert hops(loc, "172.16.1.0/24") == []
    loc.set_reach(reach(ways={"172.16.1.1/32": (None, 3)}))
    assert hops(loc, "172.16.1.0/24") == ["172.16.1.1"]
    loc.set_reach(reach())
    assert hops(loc, "172.16.1.0/24") == []


def test_a_route_that_covers_its_own_next_hop_comes_to_rest() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "10.9.0.0/16", "172.16.1.1")
    announce(loc, PEERS[1], "10.9.9.0/24", "10.9.9.9")
    assert hops(loc, "10.9.9.0/24") == ["172.16.1.1"]
    assert list(loc.changes()) == []


def test_a_next_hop_follows_the_learned_route_that_leads_to_it() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "192.0.2.0/24", "10.9.9.9")
    assert hops(loc, "192.0.2.0/24") == []
    announce(loc, PEERS[1], "10.9.0.0/16", "172.16.1.2")
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.2"]
    announce(loc, PEERS[2], "10.9.9.0/24", "172.16.1.3")
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.3"]
    loc.forget(PEERS[2])
    assert hops(loc, "192.0.2.0/24") == ["172.16.1.2"]
    loc.forget(PEERS[1])
    assert hops(loc, "192.0.2.0/24") == []


def test_retained_paths_stay_until_they_are_swept() -> None:
    loc = loc_rib()
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    announce(loc, PEERS[0], "198.51.100.0/24", "172.16.1.1")
    loc.retain(PEERS[0])
    announce(loc, PEERS[0], "192.0.2.0/24", "172.16.1.1")
    assert len(chosen(loc)) == 2
    assert loc.sweep(PEERS[0], V4) == 1
    assert list(chosen(loc)) == [nlri_of(ip_network("192.0.2.0/24"))]


def test_next_hops_that_nobody_uses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 9: a peer that makes up ever new next hops grows nothing but its own Adj-RIB-In."""
    monkeypatch.setattr(nexthops, "PRUNE_AT", 100)
    loc = loc_rib()
    for number in range(1000):
        announce(loc, PEERS[0], "192.0.2.0/24", str(ip_address(0x0A000001 + number)))
        chosen(loc)
    assert len(loc.next_hops) <= 101


def why(loc: LocRib, peer: PeerId, prefix: str) -> Refusal | None:
    """Why the peer's path of a prefix takes no part."""
    nlri = nlri_of(ip_network(prefix))
    [found] = [one for one in loc.candidates(V4, nlri) if one.peer is peer]
    return loc.ineligible(V4, nlri, found)


def test_x24_next_hops_by_learned_routes_are_no_more_than_a_flap_may_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One withdrawal has all of them resolved again, and a peer may make up any number."""
    monkeypatch.setattr(nexthops, "MOST_LEARNED", 3)
    loc = loc_rib()
    told: dict[Nlri, Chosen] = {}
    foe, friend = PEERS[:2]
    announce(loc, foe, "10.9.0.0/16", "172.16.1.1")
    for number in range(5):
        announce(loc, foe, f"192.0.2.{number}/32", f"10.9.0.{number}" if number % 2 else f"8.8.8.{number}")
    announce(loc, friend, "198.51.100.0/24", "10.9.9.9")
    announce(loc, friend, "198.51.101.0/24", "172.16.1.2")
    take(loc, told)
    reasons = [why(loc, foe, f"192.0.2.{number}/32") for number in range(5)]
    unresolved, too_many = Refusal.NEXT_HOP_UNRESOLVED, Refusal.NEXT_HOP_TOO_MANY
    assert reasons == [unresolved, None, unresolved, too_many, too_many]
    assert why(loc, friend, "198.51.100.0/24") is too_many
    assert hops(loc, "198.51.101.0/24") == ["172.16.1.2"], "it needs no learned route"

    loc.withdraw(foe, V4, [nlri_of(ip_network("10.9.0.0/16"))])
    announce(loc, foe, "10.9.0.0/16", "172.16.1.3")
    take(loc, told)
    assert hops(loc, "192.0.2.1/32") == ["172.16.1.3"]

    # Some go: of those that wait, the first have their room, and at last all.
    loc.withdraw(foe, V4, [nlri_of(ip_network(f"192.0.2.{number}/32")) for number in (0, 2)])
    take(loc, told)
    assert hops(loc, "192.0.2.3/32") == ["172.16.1.3"]
    assert why(loc, friend, "198.51.100.0/24") is too_many
    loc.forget(foe)
    announce(loc, friend, "10.9.0.0/16", "172.16.1.2")
    take(loc, told)
    assert hops(loc, "198.51.100.0/24") == ["172.16.1.2"]
    assert told == looked_up(loc) == chosen(at_once(loc))


def test_next_hops_whose_ground_goes_are_limited_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nexthops, "MOST_LEARNED", 3)
    loc = loc_rib()
    told: dict[Nlri, Chosen] = {}
    for number in range(1, 6):
        announce(loc, PEERS[0], f"192.0.2.{number}/32", f"172.16.1.{number}")
    take(loc, told)
    assert len(told) == 5
    loc.set_reach(reach(ways={}))
    take(loc, told)
    reasons = [why(loc, PEERS[0], f"192.0.2.{number}/32") for number in range(1, 6)]
    assert reasons == [Refusal.NEXT_HOP_UNRESOLVED] * 3 + [Refusal.NEXT_HOP_TOO_MANY] * 2
    loc.set_reach(reach())
    take(loc, told)
    assert len(told) == 5


# -- against the same facts at once ----------------------------------------------------------------

PREFIXES = [
    nlri_of(ip_network(text)) for text in ("0.0.0.0/0", "10.9.0.0/16", "10.9.9.0/24", "172.16.1.0/24")
]
NEXT_HOPS = [
    ip_address(text)
    for text in ("172.16.1.1", "172.16.1.2", "172.16.1.10", "10.9.9.9", "10.9.1.1", "172.16.2.9")
]
REACHES = [
    reach(),
    reach(down=True),
    reach(ways={}),
    reach(ways={"172.16.1.0/24": (None, 3), "10.9.0.0/16": ("172.16.1.77", 3)}),
    reach(ways={"172.16.1.0/24": (None, 3), "10.9.9.0/24": ("172.16.2.1", 4)}),
    reach(ways={"172.16.1.0/24": (None, 3), "172.16.2.0/24": (None, 4)}, uplinks=(3, 4)),
]
peers = st.sampled_from(PEERS)
prefixes = st.sampled_from(PREFIXES)


announcements = st.tuples(
    st.just("announce"),
    peers,
    st.lists(prefixes, min_size=1, max_size=3),
    st.builds(
        path,
        peers,
        st.sampled_from(NEXT_HOPS),
        st.integers(1, 2),
        st.sampled_from([None, None, 200]),
    ),
)
others = st.one_of(
    st.tuples(st.just("withdraw"), peers, st.lists(prefixes, min_size=1, max_size=2)),
    st.tuples(st.sampled_from(["forget", "retain", "sweep"]), peers),
    st.tuples(st.just("reconsider"), peers, st.booleans()),
    st.tuples(st.just("reach"), st.sampled_from(REACHES)),
    st.tuples(st.just("configure"), st.integers(1, 3), st.booleans()),
)
steps = st.lists(st.one_of(announcements, announcements, others), min_size=6, max_size=25)


def do(loc: LocRib, step: tuple[object, ...]) -> None:
    """One thing happens."""
    match step:
        case "announce", PeerId() as peer, list() as nlris, Path() as made:
            loc.announce(peer, V4, nlris, replace(made, peer=peer, router_id=int(peer.address)), POLICY)
        case "withdraw", PeerId() as peer, list() as nlris:
            loc.withdraw(peer, V4, nlris)
        case "forget", PeerId() as peer:
            loc.forget(peer)
        case "retain", PeerId() as peer:
            loc.retain(peer)
        case "sweep", PeerId() as peer:
            loc.sweep(peer, V4)
        case "reconsider", PeerId() as peer, bool() as allowed:
            loc.reconsider(peer, POLICY if allowed else replace(POLICY, local_as=64502))
        case "reach", Reach() as found:
            loc.set_reach(found)
        case "configure", int() as number, bool() as backups:
            loc.configure(Decision(number), backups)


def at_once(loc: LocRib) -> LocRib:
    """A fresh one that is told how it ended."""
    fresh = LocRib(loc.decision, backups=loc.backups)
    fresh.set_reach(loc.reach)
    for peer, of_peer in loc.adj_in.items():
        for nlri, accepted in of_peer[V4].paths.items() if V4 in of_peer else ():
            fresh.announce(peer, V4, [nlri], accepted, replace(POLICY, local_as=1))
    return fresh


@settings(max_examples=300)
@given(steps, st.integers(1, 4))
def test_step_by_step_is_as_at_once(happens: list[tuple[object, ...]], together: int) -> None:
    loc = LocRib(Decision(16))
    loc.set_reach(reach())
    told: dict[Nlri, Chosen] = {}
    for number, step in enumerate(happens):
        do(loc, step)
        if number % together:
            continue
        take(loc, told)
        assert list(loc.changes()) == [], "it does not come to rest"
        assert told == looked_up(loc) == chosen(at_once(loc)) == chosen(loc)


MANY = [nlri_of(ip_network((0xC0000200 + 4 * number, 30))) for number in range(24)]


def test_announcements_and_withdrawals_in_turns_are_two_runs() -> None:
    loc = loc_rib()
    made = path(PEERS[0], ip_address("172.16.1.1"))
    loc.announce(PEERS[0], V4, MANY[:8], made, POLICY)
    list(loc.changes())
    for old, new in zip(MANY[:8], MANY[8:16], strict=True):
        loc.announce(PEERS[0], V4, [new], made, POLICY)
        loc.withdraw(PEERS[0], V4, [old])
    assert [change.nlris for change in loc.changes()] == [MANY[8:16], MANY[:8]]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(MANY)), min_size=10, max_size=80))
def test_what_comes_and_goes_in_turns_is_told_in_order(turns: list[tuple[bool, Nlri]]) -> None:
    loc = loc_rib()
    paths = [path(PEERS[0], ip_address(f"172.16.1.{number}")) for number in (1, 2)]
    for announced, nlri in turns:
        if announced:
            loc.announce(PEERS[0], V4, [nlri], paths[nlri == MANY[0]], POLICY)
        else:
            loc.withdraw(PEERS[0], V4, [nlri])
    told: dict[Nlri, Chosen] = {}
    take(loc, told)
    assert told == looked_up(loc)


def test_a_next_hop_that_was_forgotten_meanwhile_is_followed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrfbgp.rib.nexthops.PRUNE_AT", 4)
    p, q = (nlri_of(ip_network(text)) for text in ("192.0.2.0/24", "198.51.100.0/24"))
    loc = LocRib(Decision(16))
    loc.set_reach(reach())
    one, other = PEERS[:2]
    kept = path(other, ip_address("172.16.1.2"))
    loc.announce(other, V4, [p], kept, POLICY)
    loc.withdraw(other, V4, [p])
    for number in range(6):
        loc.announce(one, V4, [q], path(one, ip_address(f"11.0.0.{number + 1}")), POLICY)
    loc.announce(other, V4, [p], kept, POLICY)
    assert loc.tables[V4][p].members
    loc.set_reach(reach(down=True))
    assert loc.tables[V4][p] is NO_ROUTE, "the link is down"
