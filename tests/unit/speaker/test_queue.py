"""What a peer holds in the end is what was asked for last, however much of it waited to be sent together."""

from __future__ import annotations

from typing import Any

import pytest
from exabgp.bgp.message import Action
from exabgp.rib import RIB
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.speaker.test_render import FULL
from vrfbgp.speaker.neighbors import read
from vrfbgp.speaker.render import render
from vrfbgp.speaker.routes import announced, queue, withdrawn

ONE, OTHER, THIRD = "10.50.0.1/32", "10.50.0.2/32", "2001:db8::1/128"
SEND, RESTART = "send", "restart"
STEPS = st.one_of(
    st.tuples(st.sampled_from([ONE, OTHER, THIRD]), st.none() | st.integers(1, 3)),
    st.sampled_from([SEND, RESTART]),
)
Step = str | tuple[str, int | None]


class Receiver:
    """The peer's end: what it was sent, in the octets' order."""

    def __init__(self) -> None:
        RIB._cache.clear()
        [self.neighbor] = read(render([FULL]))
        self.rib = self.neighbor.rib.outgoing
        self.holds: dict[str, int] = {}
        self._fresh = True

    def take(self, step: Step) -> None:
        if step == RESTART:
            # As ExaBGP does it: what waited is dropped, and all that it remembers goes once more.
            self.rib.reset()
            self.rib.replace_restart([], [])
            self.holds, self._fresh = {}, True
        elif step == SEND:
            self.send()
        else:
            prefix, med = step
            words: dict[str, Any] = {"med": med}
            queue(
                self.neighbor, withdrawn(prefix) if med is None else announced(self.neighbor, prefix, words)
            )

    def send(self) -> None:
        begins, self._fresh = self._fresh, self._fresh and not self.rib.pending()
        for update in self.rib.updates(True):
            for nlri in update.nlris:
                if nlri.action == Action.ANNOUNCE:
                    self.holds[nlri.cidr.prefix()] = update.attributes[4].med
                elif not begins:
                    # ExaBGP leaves withdrawals out of what a session begins with.
                    self.holds.pop(nlri.cidr.prefix(), None)


def held(steps: list[Step]) -> tuple[dict[str, int], dict[str, int]]:
    """What the peer holds after all was sent, and what it should."""
    receiver = Receiver()
    meant: dict[str, int] = {}
    for step in steps:
        receiver.take(step)
        if isinstance(step, tuple):
            prefix, med = step
            meant.pop(prefix, None)
            meant |= {prefix: med} if med is not None else {}
    receiver.send()
    return receiver.holds, meant


@given(st.lists(STEPS, max_size=12))
def test_p8_a_peer_holds_what_was_asked_for_last(steps: list[Step]) -> None:
    found, meant = held(steps)
    assert found == meant


@pytest.mark.parametrize(
    "waiting",
    [
        [(OTHER, None), (ONE, 1), (ONE, None)],
        [(ONE, 1), (ONE, 2), (ONE, 1)],
        [(ONE, 1), (ONE, None)],
        [(ONE, 1), (ONE, 1)],
    ],
)
@pytest.mark.parametrize("before", [[], [(OTHER, 1), SEND], [(ONE, 1), (OTHER, 1), SEND], [RESTART]])
def test_p8_whatever_waited_together(before: list[Step], waiting: list[Step]) -> None:
    found, meant = held([*before, *waiting])
    assert found == meant
