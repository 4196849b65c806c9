"""`Delta` agrees with two plain dicts, whatever is wanted and seen in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vrfbgp.fib.delta import Delta

keys = st.sampled_from("abcdef")
values = st.integers(1, 3)


class Comparison(RuleBasedStateMachine):
    """One delta, and what it stands for: a desired dict, an actual dict, and what was ever desired."""

    def __init__(self) -> None:
        super().__init__()
        self.delta: Delta[str, int] = Delta()
        self.desired: dict[str, int] = {}
        self.actual: dict[str, int] = {}
        self.ours: set[str] = set()
        """Keys that are desired, or were while the kernel had them, and has them since."""

    @rule(key=keys, value=values)
    def want(self, key: str, value: int) -> None:
        self.delta.want(key, value)
        self.desired[key] = value
        self.ours.add(key)

    @rule(wanted=st.lists(keys, min_size=1), value=values, handed_out=st.booleans())
    def want_all(self, wanted: list[str], value: int, handed_out: bool) -> None:
        count = self.delta.want_all(wanted, value)
        known = self.desired.keys() | self.actual.keys() | self.ours
        assert count == (0 if known & set(wanted) else len(set(wanted)))
        if not count:
            return
        self.desired.update(dict.fromkeys(wanted, value))
        self.ours.update(wanted)
        if handed_out:
            assert {key for _, run in self.delta.take_fresh() for key in run} == set(wanted)
            self.actual.update(dict.fromkeys(wanted, value))

    @rule(key=keys)
    def unwant(self, key: str) -> None:
        self.delta.unwant(key)
        self.desired.pop(key, None)
        if key not in self.actual:
            self.ours.discard(key)

    @rule(key=keys, value=values | st.none())
    def saw(self, key: str, value: int | None) -> None:
        self.delta.saw(key, value)
        if value is not None:
            self.actual[key] = value
            return
        self.actual.pop(key, None)
        if key not in self.desired:
            self.ours.discard(key)

    @rule(seen=st.dictionaries(keys, values))
    def saw_all(self, seen: dict[str, int]) -> None:
        self.delta.saw_all(seen)
        self.actual = dict(seen)
        self.ours = {key for key in self.ours if key in self.desired or key in seen}

    @invariant()
    def agrees(self) -> None:
        differing = {
            key: (self.desired.get(key), self.actual.get(key))
            for key in self.desired.keys() | self.actual.keys()
            if self.desired.get(key) != self.actual.get(key)
        }
        pending = {key: (desired, actual) for key, desired, actual in self.delta.pending()}
        assert pending == differing
        assert len(self.delta) == len(differing)
        assert self.delta.desired == self.desired
        assert {key: self.delta.actual(key) for key in "abcdef"} == {k: self.actual.get(k) for k in "abcdef"}
        assert dict(self.delta.actual_items()) == self.actual
        assert all(self.delta.settled((key,)) is (key not in differing) for key in "abcdef")
        assert {key for key, _, _ in self.delta.changed()} == differing.keys() & self.ours
        assert {key for key, _, _ in self.delta.left()} == differing.keys() - self.ours


TestComparison = Comparison.TestCase


@given(st.dictionaries(keys, values), st.dictionaries(keys, values))
def test_what_is_pending_turns_actual_into_desired(desired: dict[str, int], actual: dict[str, int]) -> None:
    delta: Delta[str, int] = Delta()
    delta.saw_all(actual)
    for key, value in desired.items():
        delta.want(key, value)
    for key, wanted, _ in list(delta.pending()):
        delta.saw(key, wanted)
    assert dict(delta.actual_items()) == desired
    assert len(delta) == 0


def test_repairs_come_in_the_order_of_what_is_desired() -> None:
    delta: Delta[str, int] = Delta()
    for key in "fedcba":
        delta.want(key, 1)
        delta.saw(key, 1)
    delta.saw_all({})
    assert [key for key, _, _ in delta.pending()] == list("fedcba")


def test_what_is_new_is_kept_as_runs_and_handed_out_once() -> None:
    delta: Delta[str, int] = Delta()
    assert delta.want_all(["a", "b"], 1) == 2
    assert delta.want_all(["c", "c"], 1) == 1
    assert delta.want_all(["d"], 2) == 1
    assert len(delta) == 4
    assert delta.take_fresh() == [(1, ["a", "b", "c"]), (2, ["d"])]
    assert not len(delta)
    assert not list(delta.pending())
    assert delta.actual("c") == 1, "what was handed out counts as there"


@pytest.mark.parametrize("known", ["desired", "off", "left"])
def test_what_is_known_is_not_taken_for_new(known: str) -> None:
    delta: Delta[str, int] = Delta()
    if known != "left":
        delta.want("a", 7)
    if known == "off":
        delta.saw("a", 7)
        delta.unwant("a")
    if known == "left":
        delta.saw("a", 7)
    before = list(delta.pending())
    assert delta.want_all(["b", "a"], 1) == 0
    assert list(delta.pending()) == before
    assert "b" not in delta.desired


def test_runs_are_as_good_as_single_wishes() -> None:
    delta: Delta[str, int] = Delta()
    delta.want_all(["a", "b", "c"], 1)
    delta.unwant("a")
    delta.want("b", 2)
    assert sorted(delta.pending()) == [("b", 2, None), ("c", 1, None)]
    assert delta.take_fresh() == []
    delta.saw_as_desired(["b"])
    assert list(delta.pending()) == [("c", 1, None)]


def test_a_dump_overrules_runs() -> None:
    delta: Delta[str, int] = Delta()
    delta.want_all(["a", "b"], 1)
    delta.saw_all({"a": 1, "x": 5})
    assert delta.take_fresh() == []
    assert sorted(delta.pending()) == [("b", 1, None), ("x", None, 5)]
