"""`plan`, the daemon's part: a config that somebody proposes is understood, and tried on a copy of the core.

Its files come as text. So they are read with the rights of the user who asks, and the daemon opens nothing
that a client names; and they may be on another machine, behind `kubectl exec`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vrfbgp.config.source import Source
from vrfbgp.copied import NoAnswer, in_copy
from vrfbgp.core import Core
from vrfbgp.intent import Intent, Problem
from vrfbgp.kernel.reader import Reader
from vrfbgp.views.foresight import foresee
from vrfbgp.views.words import problem

Json = dict[str, Any]


async def plan(core: Core, source: Source, request: Json, run_dir: Path, now: float) -> Json:
    """What the files of a request would change (`foresee`), or why they are refused; {"error": text}."""
    files = request.get("files")
    if not isinstance(files, list) or not all(_is_file(file) for file in files):
        return {"error": "a plan is made of files: a list of objects with a name and a text"}
    try:
        with tempfile.TemporaryDirectory(prefix="plan-", dir=run_dir) as directory:
            names = _written(Path(directory), files)
            found = await source.proposed(tuple(names))
    except (OSError, ValueError) as error:
        # ValueError: JSON can carry what is no file name, and what is no text in UTF-8.
        reason = error.strerror if isinstance(error, OSError) else error
        return {"error": f"the files can't be written to {run_dir} to be read: {reason}"}
    if not isinstance(found, Intent):
        return {"refused": [problem(one) for one in _renamed(found, names)], "problems": [], "empty": True}
    intent = replace(found, problems=tuple(_renamed(found.problems, names)))

    def question() -> Json:
        with contextlib.closing(Reader()) as reader:
            return foresee(core, intent, reader.read, now)

    try:
        return {"refused": []} | await in_copy(question)
    except NoAnswer as error:
        return {"error": f"no plan could be made: {error}"}


def _is_file(file: object) -> bool:
    if not isinstance(file, dict) or not all(isinstance(file.get(key), str) for key in ("name", "text")):
        return False
    return Path(file["name"]).name not in ("", "..")


def _written(directory: Path, files: Sequence[Json]) -> dict[Path, str]:
    """The files on disk, in a directory that is ours alone, each with the name that its user knows."""
    names: dict[Path, str] = {}
    for number, file in enumerate(files):
        path = directory / str(number) / Path(file["name"]).name
        path.parent.mkdir()
        path.write_text(file["text"])
        names[path] = file["name"]
    return names


def _renamed(problems: Sequence[Problem], names: Mapping[Path, str]) -> list[Problem]:
    """The same in the user's words."""

    def in_words(text: str) -> str:
        for path, name in names.items():
            text = text.replace(str(path), name)
        return text

    return [
        replace(one, text=in_words(one.text), place=replace(one.place, file=in_words(one.place.file)))
        for one in problems
    ]
