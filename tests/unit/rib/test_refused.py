"""Refused paths: their counts are kept, and what is told of them is little."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.model import Nlri, Path
from vrfbgp.rib.policy import Refused
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.refused import RefusedPaths

PATH: Path = None  # type: ignore[assignment]
"""Nobody looks at it."""
MARTIAN = Refused(PATH, Refusal.MARTIAN)
FILTER = Refused(PATH, Refusal.FILTER, "f rule 1")


def nlris(*numbers: int) -> list[Nlri]:
    return [bytes((24, 10, number // 256, number % 256)) for number in numbers]


steps = st.lists(
    st.tuples(st.sampled_from([MARTIAN, FILTER, None]), st.lists(st.integers(0, 9), max_size=6)),
    max_size=30,
)


@given(steps)
def test_the_counts_are_those_of_what_is_kept(steps: list[tuple[Refused | None, list[int]]]) -> None:
    paths = RefusedPaths()
    for refused, numbers in steps:
        if refused is not None:
            paths.put(nlris(*numbers), refused)
        for nlri in nlris(*numbers) if refused is None else ():
            paths.pop(nlri, None)
        assert paths.counts == Counter(kept.reason for kept in paths.values())


def test_the_first_is_news_and_then_each_power_of_ten() -> None:
    paths = RefusedPaths()
    told = []
    for number in range(250):
        paths.put(nlris(number), FILTER)
        told += [(news.prefixes, news.rule) for news in paths.take_news()]
    assert told == [(1, "f rule 1"), (10, "f rule 1"), (100, "f rule 1")]


def test_what_is_refused_again_is_no_news_and_what_begins_anew_is() -> None:
    paths = RefusedPaths()
    paths.put(nlris(1), MARTIAN)
    assert len(paths.take_news()) == 1
    paths.put(nlris(1), MARTIAN)
    assert paths.take_news() == []
    paths.pop(nlris(1)[0], None)
    paths.put(nlris(1), MARTIAN)
    assert len(paths.take_news()) == 1


def test_another_reason_for_the_same_prefix_is_news_of_its_own() -> None:
    paths = RefusedPaths()
    paths.put(nlris(1, 2), MARTIAN)
    paths.put(nlris(2), FILTER)
    assert {news.reason: news.prefixes for news in paths.take_news()} == {
        Refusal.MARTIAN: 2,
        Refusal.FILTER: 1,
    }
    assert paths.counts == {Refusal.MARTIAN: 1, Refusal.FILTER: 1}
    paths.clear()
    assert (paths.counts, paths.take_news()) == ({}, [])
