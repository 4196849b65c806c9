"""Merging AS_PATH and AS4_PATH by RFC 6793 4.2.3, the cases that ExaBGP's decoder is no oracle for too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.rib.aspath import Segments, hops, merged

T = 23456
BIG = 4200000000
SEQ, SET, CSEQ, CSET = 2, 1, 3, 4

CASES: list[tuple[Segments, Segments, Segments]] = [
    (((SEQ, (1, T, T)),), ((SEQ, (BIG, BIG)),), ((SEQ, (1, BIG, BIG)),)),
    (((SEQ, (T, T)),), ((SEQ, (BIG, BIG)),), ((SEQ, (BIG, BIG)),)),
    # the AS4_PATH is longer: it is ignored
    (((SEQ, (T,)),), ((SEQ, (BIG, BIG)),), ((SEQ, (T,)),)),
    # a set counts as one
    (((SEQ, (1, T)), (SET, (5, 6))), ((SEQ, (BIG,)), (SET, (5, 6))), ((SEQ, (1, BIG)), (SET, (5, 6)))),
    (((SET, (1, 2)), (SEQ, (T,))), ((SEQ, (BIG,)),), ((SET, (1, 2)), (SEQ, (BIG,)))),
    # confederation segments that lead, or adjoin what is put before, come along
    (((CSEQ, (9,)), (SEQ, (T,))), ((SEQ, (BIG,)),), ((CSEQ, (9,)), (SEQ, (BIG,)))),
    (((SEQ, (1,)), (CSET, (9,)), (SEQ, (T,))), ((SEQ, (BIG,)),), ((SEQ, (1,)), (CSET, (9,)), (SEQ, (BIG,)))),
    # but not one behind the place where the path was cut
    (((SEQ, (1, T)), (CSEQ, (9,))), ((SEQ, (BIG,)),), ((SEQ, (1, BIG)),)),
]


@pytest.mark.parametrize(("path", "path4", "expected"), CASES)
def test_merged(path: Segments, path4: Segments, expected: Segments) -> None:
    assert merged(path, path4) == expected


_paths = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4]), st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)),
    max_size=5,
).map(tuple)


@given(_paths, _paths)
def test_a_merged_path_is_as_long_as_the_as_path(path: Segments, path4: Segments) -> None:
    assert hops(merged(path, path4)) == hops(path)
