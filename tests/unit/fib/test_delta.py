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

    @rule(told=st.lists(keys, min_size=1, unique=True), value=values | st.none(), handed_out=st.booleans())
    def told(self, told: list[str], value: int | None, handed_out: bool) -> None:
        """Some keys with one value get another; `desired` is ahead of what is told."""
        before = self.desired.get(told[0])
        told = [key for key in told if self.desired.get(key) == before]
        for key in told:
            for desired in (self.desired, self.delta.desired):
                if value is None:
                    desired.pop(key, None)
                else:
                    desired[key] = value
            if value is not None:
                self.ours.add(key)
            elif key not in self.actual:
                self.ours.discard(key)
        self.delta.told(told, before, value)
        if handed_out:
            for made, run in self.delta.take_fresh():
                self.actual.update(dict.fromkeys(run, made))
            for was, run in self.delta.take_gone():
                for key in run:
                    assert self.actual.pop(key) == was
                    self.ours.discard(key)

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


def wanted(delta: Delta[str, int], keys: str, value: int) -> None:
    """Keys that are new."""
    delta.desired.update(dict.fromkeys(keys, value))
    delta.told(list(keys), None, value)


def unwanted(delta: Delta[str, int], keys: str) -> None:
    """Keys that had one value."""
    (before,) = {delta.desired.pop(key) for key in keys}
    delta.told(list(keys), before, None)


def test_what_is_new_is_kept_as_runs_and_handed_out_once() -> None:
    delta: Delta[str, int] = Delta()
    wanted(delta, "ab", 1)
    wanted(delta, "c", 1)
    wanted(delta, "d", 2)
    assert len(delta) == 4
    assert delta.take_fresh() == [(1, ["a", "b", "c"]), (2, ["d"])]
    assert not len(delta)
    assert not list(delta.pending())
    assert delta.actual("c") == 1, "what was handed out counts as there"


def test_what_goes_is_kept_as_runs_and_handed_out_once() -> None:
    delta: Delta[str, int] = Delta()
    wanted(delta, "abc", 1)
    delta.take_fresh()
    unwanted(delta, "ab")
    unwanted(delta, "c")
    assert len(delta) == 3
    assert delta.take_gone() == [(1, ["a", "b", "c"])]
    assert not len(delta)
    assert delta.actual("c") is None, "what was handed out counts as gone"


@pytest.mark.parametrize("known", ["off", "left"])
def test_what_is_known_is_not_taken_for_new(known: str) -> None:
    delta: Delta[str, int] = Delta()
    if known == "off":
        wanted(delta, "a", 7)
        delta.saw("a", 7)
        unwanted(delta, "a")
        assert list(delta.pending()) == [("a", None, 7)]
    else:
        delta.saw("a", 7)
    wanted(delta, "ba", 1)
    assert delta.take_fresh() == []
    assert sorted(delta.pending()) == [("a", 1, 7), ("b", 1, None)]


def test_runs_are_as_good_as_single_wishes() -> None:
    delta: Delta[str, int] = Delta()
    wanted(delta, "abc", 1)
    delta.unwant("a")
    delta.want("b", 2)
    assert sorted(delta.pending()) == [("b", 2, None), ("c", 1, None)]
    assert delta.take_fresh() == []
    delta.saw_as_desired(["b"])
    assert list(delta.pending()) == [("c", 1, None)]


def test_what_went_and_comes_back_is_as_it_was() -> None:
    delta: Delta[str, int] = Delta()
    wanted(delta, "ab", 1)
    delta.take_fresh()
    unwanted(delta, "ab")
    wanted(delta, "a", 1)
    assert delta.take_gone() == delta.take_fresh() == []
    assert list(delta.pending()) == [("b", None, 1)]


def test_a_dump_overrules_runs() -> None:
    delta: Delta[str, int] = Delta()
    wanted(delta, "ab", 1)
    delta.saw_all({"a": 1, "x": 5})
    assert delta.take_fresh() == []
    assert sorted(delta.pending()) == [("b", 1, None), ("x", None, 5)]
