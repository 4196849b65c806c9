"""What is remembered of what happened, and what readers are told of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.nodes import RED, Node
from vrfbgp.cli.follow import pages
from vrfbgp.control import NotAnswered
from vrfbgp.journal import LONGEST, Event, Journal, rfc3339
from vrfbgp.notes import Code
from vrfbgp.views import events, last_reading

EVENTS = Path(__file__).resolve().parents[2] / "docs" / "events.md"


def journal_of(*codes: str, kept: int = 100, subject: str = "") -> Journal:
    """One that these were written into, a second each."""
    journal = Journal(1000.0, kept)
    for second, code in enumerate(codes):
        journal.write(1000.0 + second, code, subject, f"text {second}", warning=False)
    return journal


def everything(_: Event) -> bool:
    return True


def numbers(found: Any) -> list[int]:
    return [event.number for event in found.events]


def test_events_are_numbered_and_paged_in_order() -> None:
    journal = journal_of(*"abcde")
    assert numbers(journal.newest(2, everything)) == [4, 5]
    page = journal.since(0, 3, everything)
    assert (numbers(page), page.next, page.more, page.lost) == ([1, 2, 3], 3, True, 0)
    page = journal.since(page.next, 3, everything)
    assert (numbers(page), page.next, page.more, page.lost) == ([4, 5], 5, False, 0)
    assert numbers(journal.since(5, 3, everything)) == []


def test_what_is_forgotten_in_between_is_told_as_a_number() -> None:
    journal = journal_of(*"abcdef", kept=2)
    page = journal.since(1, 10, everything)
    assert (numbers(page), page.lost) == ([5, 6], 3)
    assert journal.latest["a"].number == 1, "the last of each code is kept apart"


def test_a_page_goes_on_behind_what_was_not_wanted() -> None:
    journal = journal_of(*"abababa")
    page = journal.since(0, 2, lambda event: event.code == "b")
    assert numbers(page) == [2, 4]
    assert numbers(journal.since(page.next, 2, lambda event: event.code == "b")) == [6]


def test_a_long_text_takes_no_more_than_so_much() -> None:
    journal = Journal(0.0)
    journal.write(0.0, "a", "", "x" * 10 * LONGEST, warning=True)
    (event,) = journal.newest(1, everything).events
    assert len(event.text) == LONGEST
    assert event.text.endswith("…")


def test_times_are_told_in_utc_to_the_millisecond() -> None:
    assert rfc3339(0.25) == "1970-01-01T00:00:00.250Z"


# -- what the control socket answers ----------------------------------------------------------------


def told(journal: Journal, **request: Any) -> Any:
    return events(Node().core, journal, {"command": "events", **request})


@pytest.mark.parametrize(
    ("subject", "network"),
    [
        ("peer red/172.16.1.140", "red"),
        ("network red", "red"),
        ("ExternalNetwork red", "red"),
        ("BGPPeer red-1", "red"),
        ("EgressGateway default/red", "red"),
        ("table 500", "red"),
        ("peer yellow/172.16.2.140", "yellow"),
        ("peer red2/172.16.2.140", "red2"),
        ("table 5000", None),
        ("", None),
    ],
)
def test_events_are_told_of_the_network_that_they_concern(subject: str, network: str | None) -> None:
    journal = journal_of("a", subject=subject)
    for name in ("red", "yellow"):
        assert len(told(journal, network=name)["events"]) == (name == network)


def test_codes_are_chosen_by_a_pattern() -> None:
    journal = journal_of("peer.up", "peer.down", "config.applied")
    assert [event["code"] for event in told(journal, code="peer.*")["events"]] == ["peer.up", "peer.down"]
    assert [event["code"] for event in told(journal, code="*.applied")["events"]] == ["config.applied"]


def test_a_pattern_that_no_code_has_is_told() -> None:
    assert (
        "there is no code peer.*x; there are config.applied," in told(journal_of(), code="peer.*x")["error"]
    )
    assert told(journal_of(), code="speaker.*")["events"] == []


def test_a_network_that_is_gone_is_still_told_of_and_one_that_never_was_is_not() -> None:
    journal = journal_of("peer.up", subject="peer blue/192.0.2.1")
    assert told(journal, network="blue")["events"]
    assert "red, yellow" in told(journal, network="green")["error"]


@pytest.mark.parametrize(
    "request_",
    [{"since": -1}, {"since": "x"}, {"limit": -1}, {"limit": True}, {"code": 3}, {"network": ["red"]}],
)
def test_nonsense_is_refused(request_: dict[str, Any]) -> None:
    assert "error" in told(journal_of("a"), **request_)


def test_an_answer_has_a_bound() -> None:
    journal = journal_of(*(["a"] * 1500), kept=2000)
    assert len(told(journal, limit=10**9)["events"]) == 1000


def test_the_last_reading_of_the_config_and_its_result() -> None:
    assert last_reading(journal_of()) == {"applied": None, "read": None, "result": None}
    first = last_reading(journal_of("config.applied", "peer.up"))
    assert first == {"applied": rfc3339(1000), "read": rfc3339(1000), "result": "applied"}
    after = last_reading(journal_of("config.applied", "config.refused"))
    assert after == {"applied": rfc3339(1000), "read": rfc3339(1001), "result": "refused"}


# -- --follow ---------------------------------------------------------------------------------------


class Told:
    """A daemon's answers; None: it is away."""

    def __init__(self, *journals: Journal | None) -> None:
        self.journals = list(journals)
        self.asked: list[dict[str, Any]] = []

    def ask(self, _: Path, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        journal = self.journals[0] if len(self.journals) == 1 else self.journals.pop(0)
        if journal is None:
            raise NotAnswered("away")
        found: dict[str, Any] = events(Node().core, journal, request)
        return found


def test_following_tells_what_comes_and_nothing_twice() -> None:
    journal = journal_of(*"abc")
    told = Told(journal)
    found = pages(Path(), {"limit": 2}, follow=True, ask=told.ask, pause=0)
    assert [event["number"] for event in next(found)["events"]] == [2, 3]
    journal.write(0.0, "d", "", "", warning=False)
    assert [event["number"] for event in next(found)["events"]] == [4]


def test_following_goes_on_over_a_restart_from_the_beginning_of_the_new_life() -> None:
    second = Journal(2000.0)
    for _ in range(5):
        second.write(2000.0, "b", "", "", warning=False)
    told = Told(journal_of(*"aaa"), None, None, second)
    found = pages(Path(), {"limit": 50}, follow=True, ask=told.ask, pause=0)
    assert len(next(found)["events"]) == 3
    assert next(found)["away"]
    assert [event["code"] for event in next(found)["events"]] == ["b"] * 5


def test_following_sees_a_restart_that_was_quicker_than_its_look() -> None:
    second = Journal(2000.0)
    for _ in range(5):
        second.write(2000.0, "b", "", "", warning=False)
    told = Told(journal_of(*"aaa"), second)
    found = pages(Path(), {"limit": 50}, follow=True, ask=told.ask, pause=0)
    next(found)
    assert [event["number"] for event in next(found)["events"]] == [1, 2, 3, 4, 5]


def test_without_following_there_is_one_answer() -> None:
    assert len(list(pages(Path(), {}, follow=False, ask=Told(journal_of("a")).ask))) == 1


# -- the codes ----------------------------------------------------------------------------------------


def test_the_page_on_events_has_each_code_with_its_meaning_and_what_to_do() -> None:
    rows = re.findall(r"^\| `([a-z.-]+)`(?: !)? \| (.+) \| (.+) \|$", EVENTS.read_text(), re.MULTILINE)
    assert {code for code, _, _ in rows} == {code.value for code in Code}
    assert len(rows) == len(Code)


def test_route_refused_is_told_once_for_each_power_of_ten_and_names_the_remedy() -> None:
    node = Node()
    node.up(RED)

    def learns(first: int, last: int) -> None:
        node.learns(RED, *(f"127.{number // 250}.{number % 250}.0/24" for number in range(first, last)))

    learns(0, 1)
    learns(1, 5)
    learns(5, 400)
    learns(400, 401)
    refused = [str(note) for note in node.notes if note.code is Code.REFUSED]
    assert len(refused) == 2, refused
    assert refused[0].startswith("route.refused peer red/172.16.1.140: 1 prefix is refused: martian, as 127.")
    assert "400 prefixes are refused" in refused[1]
    assert "the peer should not announce it" in refused[1]
