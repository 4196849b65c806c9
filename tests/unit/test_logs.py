"""The log: its two forms, repeats that are told in short, and what of it becomes an event."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from vrfbgp import logs
from vrfbgp.journal import Event, Journal
from vrfbgp.logs import configure, tell
from vrfbgp.notes import Code, Note
from vrfbgp.repeats import FIRST, WINDOW, Repeats, shape


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class Log:
    """A configured log, its text and its journal."""

    def __init__(self, form: str = "text", level: str = "info") -> None:
        self.stream = io.StringIO()
        self.journal = Journal(0.0)
        self.sink = configure(form, level, self.journal, self.stream)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def events(self) -> list[Event]:
        return self.journal.newest(1000, lambda _: True).events


UP = Note(Code.PEER_UP, "peer red/192.0.2.1", "hold time 90 s")


def test_a_note_is_a_line_and_an_event() -> None:
    log = Log()
    tell(UP)
    assert [line[9:] for line in log.lines] == ["I peer.up peer red/192.0.2.1: hold time 90 s"]
    (event,) = log.events
    assert (event.code, event.subject, event.text) == ("peer.up", UP.subject, UP.text)
    assert not event.warning


def test_json_has_one_object_a_line() -> None:
    log = Log("json")
    tell(UP)
    logging.getLogger("vrfbgp.kernel.edge").warning("a dump\nfailed")
    note, other = map(json.loads, log.lines)
    assert (note["code"], note["subject"], note["level"]) == ("peer.up", UP.subject, "info")
    assert note["time"].endswith("Z")
    assert (other["code"], other["text"]) == ("log.vrfbgp.kernel.edge", "a dump\nfailed")


def test_warnings_without_a_code_are_events_and_lesser_words_are_not() -> None:
    log = Log()
    logging.getLogger("vrfbgp.kernel.edge").warning("a dump failed")
    logging.getLogger("vrfbgp.kernel.edge").info("nothing much")
    assert [(event.code, event.text) for event in log.events] == [("daemon.warning", "a dump failed")]
    assert len(log.lines) == 2


def test_events_are_remembered_whatever_the_level_of_the_log() -> None:
    log = Log(level="error")
    tell(UP)
    assert log.lines == []
    assert len(log.events) == 1


def test_repeats_are_told_in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    log = Log()
    held: list[float] = []
    log.sink.on_held = lambda: held.append(now)
    for number in range(FIRST + 30):
        tell(Note(Code.ANNOUNCED, "peer red/192.0.2.1", f"10.50.{number}.2/32"))
    assert len(log.lines) == FIRST
    assert held == [now], "somebody is to come back for the rest"
    now += WINDOW
    log.sink.catch_up()
    assert log.lines[-1].endswith("route.announced peer red/192.0.2.1: 30 more like this one: 10.50.49.2/32")
    assert len(log.lines) == FIRST + 1
    assert len(log.events) == FIRST + 1
    assert log.journal.counts["route.announced"] == FIRST + 30
    tell(Note(Code.ANNOUNCED, "peer red/192.0.2.1", "10.50.0.3/32"))
    assert len(log.lines) == FIRST + 2, "the next one begins anew"


def test_the_end_tells_what_was_held_back() -> None:
    log = Log()
    for _ in range(FIRST + 1):
        tell(UP)
    log.sink.catch_up(all_=True)
    assert "1 more like this one" in log.lines[-1]


def test_a_record_that_can_not_be_written_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    logging.getLogger("vrfbgp.x").warning("%d", "no number")
    tell(UP)
    assert "Logging error" in capsys.readouterr().err
    assert len(log.events) == 1


def test_other_objects_and_other_texts_are_no_repeats() -> None:
    log = Log()
    for number in range(2 * FIRST):
        tell(Note(Code.PEER_DOWN, f"peer red/192.0.2.{number}", "hold timer expired", warning=True))
    for word in ("alpha", "beta"):
        tell(Note(Code.PEER_DOWN, "peer red/192.0.2.1", word, warning=True))
    assert len(log.lines) == 2 * FIRST + 2


def test_numbers_addresses_and_prefixes_make_no_difference() -> None:
    assert shape("192.0.2.1/32 is gone, errno 5") == shape("2001:db8::7/128 is gone, errno 17")
    assert shape("red is gone") != shape("yellow is gone")


def test_kinds_are_forgotten_so_that_memory_has_a_bound() -> None:
    repeats = Repeats()
    for number in range(5000):
        assert repeats.admits(number, float(number))
    assert len(repeats._windows) < 1100
