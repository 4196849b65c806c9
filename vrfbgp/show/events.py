"""`events` for people: one event a line, the time in the reader's own zone; or the objects as they came."""

from __future__ import annotations

import json
import sys
from typing import Any

from vrfbgp.show.tables import Page, count, moment

Json = dict[str, Any]


def show_events(page: Page, found: Json, *, as_json: bool) -> None:
    """Print what `follow.pages` yields: to stdout what happened, to stderr what can't be told any more."""
    if found["away"]:
        _aside("the daemon is away; waiting for it")
    if found["lost"]:
        _aside(f"{count(found['lost'], 'event')} in between: not remembered any more")
    for event in found["events"]:
        if as_json:
            sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
        else:
            show_event(page, event)
    sys.stdout.flush()


def show_event(page: Page, event: Json) -> None:
    about = f"{event['subject']}: {event['text']}" if event["subject"] else event["text"]
    page.entry(f"{moment(event['time'])} {event['code']}", about, alarming=event["warning"])


def _aside(text: str) -> None:
    sys.stderr.write(f"vrfbgp: {text}\n")
