"""How sessions end, in words that are safe to print."""

from __future__ import annotations

from vrfbgp.events import DownCause, DownKind
from vrfbgp.notification import describe


def test_codes_have_their_names() -> None:
    cause = DownCause(DownKind.NOTIFICATION_SENT, 2, 2)
    assert describe(cause) == "notification sent 2/2 (OPEN Message Error, Bad Peer AS)"


def test_what_a_terminal_would_obey_is_shown() -> None:
    cause = DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2, "bye\n\x1b[31mred")
    assert describe(cause).endswith(r": bye\x0a\x1b[31mred")
