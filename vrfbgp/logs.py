"""The log, on stderr: readable text, or one JSON object a line. What is told often is told in short.

One sink takes all records, from all threads. It lets repeats pass only so often (`repeats.py`), and gives
what passes to stderr and to the journal: a storm neither fills a disk nor drives out what came before it.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

from vrfbgp.journal import Journal, rfc3339
from vrfbgp.notes import Code, Note
from vrfbgp.repeats import Repeats, shape

log = logging.getLogger(__name__)


def tell(note: Note) -> None:
    """Log a note."""
    log.log(logging.WARNING if note.warning else logging.INFO, "%s", note, extra={"note": note})


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, code, subject and text."""

    def format(self, record: logging.LogRecord) -> str:
        note = getattr(record, "note", None)
        line = {"time": rfc3339(record.created), "level": record.levelname.lower()}
        if isinstance(note, Note):
            line |= {"code": note.code.value, "subject": note.subject, "text": note.text}
        else:
            line |= {"code": f"log.{record.name}", "text": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Sink(logging.Handler):
    """Where all records go.

    `on_held` is called, in any thread, when the first of a kind is held back: in `repeats.WINDOW` seconds,
    `catch_up` has something to tell.
    """

    def __init__(self, out: logging.Handler, journal: Journal) -> None:
        super().__init__()
        self.on_held: Callable[[], None] = lambda: None
        self._out = out
        self._journal = journal
        self._repeats = Repeats()
        self._last: dict[object, logging.LogRecord] = {}
        """Of each kind that is held back."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: who logs is not to suffer from it."""
        try:
            self._emit(record)
        except Exception:
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        code, subject, text = _parts(record)
        if _is_event(record):
            self._journal.count(code)
        now = time.monotonic()
        self._catch_up(now)
        kind = (record.name, code, subject, shape(text))
        if self._repeats.admits(kind, now):
            self._pass_on(record)
            return
        first = kind not in self._last
        self._last[kind] = record
        if first:
            self.on_held()

    def catch_up(self, *, all_: bool = False) -> None:
        """Tell how many were held back, of what is over or of all."""
        self.acquire()
        try:
            self._catch_up(time.monotonic(), all_=all_)
        finally:
            self.release()

    def _catch_up(self, now: float, *, all_: bool = False) -> None:
        if not self._last:
            return
        for kind, times in self._repeats.held(now, all_=all_):
            self._pass_on(_in_short(self._last.pop(kind), times))

    def _pass_on(self, record: logging.LogRecord) -> None:
        if record.levelno >= self._out.level:
            self._out.handle(record)
        if _is_event(record):
            code, subject, text = _parts(record)
            self._journal.write(
                record.created, code, subject, text, warning=record.levelno >= logging.WARNING
            )


def configure(form: str, level: str, journal: Journal, stream: TextIO | None = None) -> Sink:
    """Set up the root logger; `form` is `text` or `json`. The journal gets all events, whatever the level."""
    out = logging.StreamHandler(stream or sys.stderr)
    out.setLevel(level.upper())
    if form == "json":
        out.setFormatter(JsonFormatter())
    else:
        out.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S"))
    sink = Sink(out, journal)
    logging.basicConfig(level=min(out.level, logging.INFO), handlers=[sink], force=True)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    return sink


def _parts(record: logging.LogRecord) -> tuple[str, str, str]:
    """Code, subject and text."""
    note = getattr(record, "note", None)
    if isinstance(note, Note):
        return note.code.value, note.subject, note.text
    return Code.WARNING.value, "", record.getMessage()


def _is_event(record: logging.LogRecord) -> bool:
    return isinstance(getattr(record, "note", None), Note) or record.levelno >= logging.WARNING


def _in_short(last: logging.LogRecord, times: int) -> logging.LogRecord:
    """What stands for so many records, of which this was the last."""
    code, subject, text = _parts(last)
    warning = last.levelno >= logging.WARNING
    note = Note(Code(code), subject, f"{times} more like this one: {text}", warning=warning)
    extra = {"note": note} if getattr(last, "note", None) else {}
    return logging.makeLogRecord(
        {
            "name": last.name,
            "levelno": last.levelno,
            "levelname": last.levelname,
            "msg": str(note) if extra else note.text,
            **extra,
        }
    )
