"""The log, on stderr: readable text, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
import time

from vrfbgp.notes import Note


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, code, subject and text."""

    def format(self, record: logging.LogRecord) -> str:
        note = getattr(record, "note", None)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
        }
        if isinstance(note, Note):
            line |= {"code": note.code.value, "subject": note.subject, "text": note.text}
        else:
            line |= {"code": f"log.{record.name}", "text": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(form: str, level: str) -> None:
    """Set up the root logger; `form` is `text` or `json`."""
    sink = logging.StreamHandler(sys.stderr)
    if form == "json":
        sink.setFormatter(JsonFormatter())
    else:
        sink.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[sink], force=True)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
