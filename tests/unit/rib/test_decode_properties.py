"""What holds of every input: nothing raises, a stranger's octets cost no more than they are many."""

from __future__ import annotations

import gc
from struct import pack

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.rib import wire
from tests.unit.rib.invariants import check
from tests.unit.rib.sessions import announced, decoded, decoder, one_update, withdrawn
from tests.unit.rib.strategies import Speech, messages, mutated, speeches
from vrfbgp.model import Attributes
from vrfbgp.rib.decode import Update
from vrfbgp.rib.errors import SessionError
from vrfbgp.rib.unread import Unread


@given(st.binary(max_size=300), speeches)
def test_any_octets_at_all(data: bytes, speech: Speech) -> None:
    check(decoded(data, speech.decoder()), len(data))


@given(st.binary(min_size=4, max_size=300), speeches)
def test_any_octets_behind_a_good_header(body: bytes, speech: Speech) -> None:
    data = wire.header(19 + len(body)) + body
    check(decoded(data, speech.decoder()), len(data))


@given(st.binary(max_size=200), st.binary(max_size=20), st.binary(max_size=20), speeches)
def test_any_octets_in_fields_that_fit(block: bytes, gone: bytes, nlri: bytes, speech: Speech) -> None:
    data = wire.message(gone, block, nlri)
    check(decoded(data, speech.decoder()), len(data))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_messages(data: st.DataObject) -> None:
    speech = data.draw(speeches)
    original = data.draw(messages(speech))
    changed = data.draw(mutated(original))
    by = speech.decoder()
    check(decoded(original + changed + original, by), 2 * len(original) + len(changed))


@settings(max_examples=75, deadline=None)
@given(st.data())
def test_what_was_decoded_before_changes_nothing(data: st.DataObject) -> None:
    """A decoder that remembers attributes says the same as a new one, and by one object."""
    speech = data.draw(speeches)
    run = data.draw(st.lists(messages(speech) | messages(speech).flatmap(mutated), min_size=1, max_size=4))
    known = speech.decoder()
    for message in run + run:
        alone = decoded(message, speech.decoder())
        again = decoded(message, known)
        assert again == alone
        if isinstance(again[0], SessionError):
            return


@settings(max_examples=75, deadline=None)
@given(st.data())
def test_a_run_is_its_messages(data: st.DataObject) -> None:
    speech = data.draw(speeches)
    run = data.draw(st.lists(messages(speech), max_size=4))
    assert decoded(b"".join(run), speech.decoder()) == [one_update(one, speech.decoder()) for one in run]


@settings(max_examples=75, deadline=None)
@given(st.data())
def test_a_malformed_attribute_loses_no_prefix(data: st.DataObject) -> None:
    """Treated as withdraw, a message names the prefixes that it names when it is well formed."""
    speech = data.draw(speeches)
    message = data.draw(messages(speech))
    good = one_update(message, speech.decoder())
    assume(good.announced)
    body = message[19:]
    begin = 2 + int.from_bytes(body[:2], "big")
    end = begin + 2 + int.from_bytes(body[begin : begin + 2], "big")
    bad = wire.message(body[2:begin], wire.attribute(4, b"\1", 0x80) + body[begin + 2 : end], body[end:])
    worse = one_update(bad, speech.decoder())
    assert not worse.announced
    assert sorted(withdrawn(worse)) == sorted(withdrawn(good) + announced(good))


@pytest.mark.parametrize("over_ipv6", [False, True])
def test_a_peer_that_never_repeats_itself_makes_nothing_grow(over_ipv6: bool) -> None:
    """What is remembered of attributes nobody uses any more is bounded."""

    def alive() -> int:
        return sum(isinstance(one, Attributes | Unread) for one in gc.get_objects())

    before, by = alive(), decoder()
    for number in range(20_000):
        if over_ipv6:
            message = wire.update(["2001:db8::/32"], next_hop=f"2001:db8::{number + 1:x}")
        else:
            message = wire.update(["10.0.0.0/8"], med=number)
        assert isinstance(next(by.block(message)), Update)
    assert alive() - before <= 2 * 8192


def test_faults_are_reported_once_a_message() -> None:
    """A message full of duplicates is one fault, not thousands."""
    block = wire.attributes(next_hop="192.0.2.1") + wire.attribute(8, pack("!HH", 1, 1)) * 500
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    assert len(update.faults) == 1
