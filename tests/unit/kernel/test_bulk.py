"""Runs of routes at once: the same octets as one by one, and the same refusals."""

from __future__ import annotations

import errno
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kernel.test_batch import mixed, numbers, prefixes
from vrfbgp.kernel import bulk
from vrfbgp.kernel.batch import Encoder
from vrfbgp.kernel.netlink import messages
from vrfbgp.model import Family, Inline, NexthopGroup, RouteKey
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRoutes,
    DeleteNexthop,
    DeleteRoute,
    DeleteRoutes,
    Operation,
    ReplaceRoute,
    ReplaceRoutes,
    RouteRun,
    Step,
    expanded,
)

WELL_FORMED = st.sampled_from(Family).flatmap(
    lambda family: st.lists(prefixes(family), max_size=40).map(lambda nlris: (family, nlris))
)
ANY_OCTETS = st.tuples(st.sampled_from(Family), st.lists(st.binary(max_size=20), max_size=20))


@st.composite
def runs(draw: st.DrawFn) -> RouteRun:
    family, nlris = draw(st.one_of(WELL_FORMED, WELL_FORMED, ANY_OCTETS))
    table, metric = draw(numbers), draw(numbers)
    if draw(st.booleans()):
        return DeleteRoutes(table, family, metric, nlris)
    groups = st.sampled_from([7, 0xB3000001, 0xFFFFFFFF]) | st.integers(-1, 1 << 32)
    size = len(nlris)
    nexthops = draw(
        st.one_of(groups.map(lambda id_: [id_] * size), st.lists(groups, min_size=size, max_size=size))
    )
    return draw(st.sampled_from([AddRoutes, ReplaceRoutes]))(table, family, metric, nlris, nexthops)


def singly(steps: list[Step], encoder: Encoder) -> list[tuple[bytes, Operation]]:
    """Each operation with the message that the exact way makes of it, but for its header."""
    found = []
    for step in steps:
        for operation in expanded(step):
            try:
                found.append((encoder.encode(operation)[16:], operation))
            except (ValueError, TypeError):
                continue
    return found


@given(st.lists(st.one_of(mixed, runs()), max_size=8), st.integers(1, 60), st.integers(1, 4000))
def test_what_is_sent_is_what_single_operations_would_send(
    steps: list[Step], max_messages: int, max_octets: int
) -> None:
    expected = singly(steps, Encoder())
    place = sequence = 0
    refused = []
    for chunk in Encoder(max_messages, max_octets).chunks(steps):
        octets = bytes(chunk.octets)
        assert len(chunk.operations) <= max_messages
        assert len(octets) <= max_octets or len(chunk.operations) == 1
        found = list(messages(octets))
        assert len(found) == len(chunk.operations)
        assert sum(end - start + 16 for *_, start, end in found) == len(octets)
        for within, (_, flags, number, start, end) in enumerate(found):
            sequence += 1
            assert number == chunk.first + within == sequence
            assert bool(flags & 4) == (within == len(found) - 1)
            assert (octets[start:end], chunk.operations[within]) == expected[place]
            place += 1
        refused += [failure.operation for failure in chunk.refused]
    assert place == len(expected)
    whole = [operation for step in steps for operation in expanded(step)]
    assert len(refused) == len(whole) - place
    assert all(operation in whole for operation in refused)


@pytest.mark.parametrize("kind", [AddRoute, ReplaceRoute, DeleteRoute])
def test_single_operations_that_make_a_run_are_encoded_as_one(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def operation(n: int, table: int = 500) -> Operation:
        key = RouteKey(table, Family.IPV4, b"\x18\x0a" + n.to_bytes(2, "big"))
        return DeleteRoute(key) if kind is DeleteRoute else kind(key, 7 + n % 3)

    operations: list[Operation] = [
        AddNexthop(7, NexthopGroup((1,))),
        *(operation(n) for n in range(100)),
        *(operation(n, table=501) for n in range(50)),
        AddRoute(RouteKey(501, Family.IPV4, b"\0"), Inline(3)),
        *(operation(n, table=502) for n in range(3)),
        DeleteNexthop(7),
    ]
    sizes = []
    encoded = bulk.encoded

    def counted(run: RouteRun, template: bytes, first: int) -> bytearray | None:
        sizes.append(len(run))
        return encoded(run, template, first)

    monkeypatch.setattr(bulk, "encoded", counted)
    [chunk] = Encoder().chunks(operations)
    assert list(chunk.operations) == operations
    assert sizes == [100, 50]
    plain = [message for message, _ in singly(list(operations), Encoder())]
    octets = bytes(chunk.octets)
    assert [octets[start:end] for *_, start, end in messages(octets)] == plain


def test_one_bad_prefix_of_a_run_is_refused_and_the_rest_goes() -> None:
    nlris = [b"\x18\x0a\x00" + bytes((n,)) for n in range(50)]
    nlris[20] = b"\x18\x0a"
    [chunk] = Encoder().chunks([AddRoutes(500, Family.IPV4, 20000, nlris, [7] * 50)])
    bad = AddRoute(RouteKey(500, Family.IPV4, b"\x18\x0a"), 7)
    assert [(failure.operation, failure.errno) for failure in chunk.refused] == [(bad, errno.EINVAL)]
    assert len(chunk.operations) == len(list(messages(bytes(chunk.octets)))) == 49
    assert bad not in list(chunk.operations)


def test_a_run_that_has_no_words_at_all_is_refused_by_its_operations() -> None:
    run = DeleteRoutes(1 << 32, Family.IPV4, 20000, [b"\x08\x0a", b"\x08\x0b"])
    [chunk] = Encoder().chunks([run])
    assert [failure.operation for failure in chunk.refused] == list(expanded(run))


def test_a_run_is_the_same_as_its_operations() -> None:
    keys = [RouteKey(500, Family.IPV6, bytes((8, n)), 20001) for n in range(3)]
    nlris, nexthops = [key.nlri for key in keys], [7, 8, 7]
    pairs = list(zip(keys, nexthops, strict=True))
    add = AddRoutes(500, Family.IPV6, 20001, nlris, nexthops)
    replace = ReplaceRoutes(500, Family.IPV6, 20001, nlris, nexthops)
    delete = DeleteRoutes(500, Family.IPV6, 20001, nlris)
    assert list(expanded(add)) == [AddRoute(key, nexthop) for key, nexthop in pairs]
    assert list(expanded(replace)) == [ReplaceRoute(key, nexthop) for key, nexthop in pairs]
    assert list(expanded(delete)) == [DeleteRoute(key) for key in keys]
    for run in (add, replace, delete):
        assert len(run) == 3
        assert list(expanded(run.part(1, 3))) == list(expanded(run))[1:]
        assert type(run)(*astuple(run)) == run
    single = DeleteNexthop(7)
    assert list(expanded(single)) == [single]


def test_every_prefix_has_a_next_hop() -> None:
    for kind in (AddRoutes, ReplaceRoutes):
        with pytest.raises(ValueError, match="one for each"):
            kind(500, Family.IPV4, 20000, [b"\0"], [])
