"""What is advised to who waits for a router's call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.speaker.test_render import SESSION
from vrfbgp.events import DownCause, DownKind
from vrfbgp.requests import Listen
from vrfbgp.views.advice import advice

PASSIVE = replace(SESSION, listen=Listen(7, "red0", 1790))


@pytest.mark.parametrize("cause", [None, DownCause(DownKind.CONNECTION_LOST, text="it hung up")])
def test_where_the_router_has_to_call(cause: DownCause | None) -> None:
    told = advice(cause, PASSIVE)
    assert told is not None
    assert "call 172.16.1.1 port 1790 by way of red0" in told


def test_why_nobody_can_call_is_said_where_it_is_found() -> None:
    assert advice(DownCause(DownKind.CONNECT_FAILED, text="the port is taken"), PASSIVE) is None


def test_what_a_notification_says_goes_before() -> None:
    told = advice(DownCause(DownKind.NOTIFICATION_RECEIVED, 2, 2), PASSIVE)
    assert told is not None
    assert "AS numbers" in told


def test_nothing_is_advised_before_an_active_session_was_tried() -> None:
    assert advice(None, SESSION) is None
