"""Files to typed objects: which documents are objects of ours, and what is wrong with them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vrfbgp.config.diagnose import explain, misplaced, path_of
from vrfbgp.config.documents import Document, FieldPath, Positions, dotted, read_files, source_text
from vrfbgp.config.objects import Entry, Objects, collect
from vrfbgp.config.schema.effect import neglected
from vrfbgp.config.schema.kinds import KINDS, VERSIONS, Kind, find, resembling
from vrfbgp.intent import Problem, Reason, Severity

_MAX_REPAIRS = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files hold. Not to be used if `refused`, unless it was read leniently."""

    objects: Objects
    problems: tuple[Problem, ...]

    @property
    def refused(self) -> bool:
        return self.objects.refused


def read(paths: Sequence[Path], *, lenient: bool = False) -> Loaded:
    """Read files and directories. Never raises on what they hold.

    Leniently, an object that is not fully understood is kept without the fields that are not, marked as
    broken, so that a gateway's addresses stay known and closed; what can't be repaired so is left out. The
    problems are the same either way.
    """
    documents, problems = read_files([Path(path) for path in paths])
    entries: list[Entry[Any]] = []
    unread: dict[str, Problem] = {}
    for document in documents:
        for raw, positions in _objects(document, problems):
            entry, found = _entry(raw, positions, lenient, unread)
            problems += found
            if entry is not None:
                entries.append(entry)
    entries = _without_duplicates(entries, problems, lenient)
    problems += unread.values()
    problems += _not_acted_on(entries)
    objects = collect(entries, problems)
    return Loaded(objects, objects.problems)


def _objects(document: Document, problems: list[Problem]) -> Iterator[tuple[dict[str, Any], Positions]]:
    """The objects of a document: itself, or the items of a list (`List`, or a kind's own `BGPPeerList`)."""
    raw, positions = document.value, document.positions
    if not isinstance(raw, dict):
        problems.append(
            _file_problem(
                positions, Reason.SYNTAX, "is no object: it must be a mapping with apiVersion and kind."
            )
        )
        return
    kind = raw.get("kind")
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in raw:
        yield raw, positions
        return
    items = raw["items"]
    for index, item in enumerate(items if isinstance(items, list) else []):
        below = positions.below(("items", index))
        if not isinstance(item, dict):
            problems.append(_file_problem(below, Reason.SYNTAX, f"items[{index}] is no object: remove it."))
            continue
        inherited = {} if kind == "List" else {"apiVersion": raw.get("apiVersion"), "kind": kind[:-4]}
        yield from _objects(Document(inherited | item, below), problems)


def _entry(
    raw: dict[str, Any], positions: Positions, lenient: bool, unread: dict[str, Problem]
) -> tuple[Entry[Any] | None, list[Problem]]:
    version, name = raw.get("apiVersion"), raw.get("kind")
    metadata = raw.get("metadata")
    called = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not isinstance(version, str):
        missing = "kind" if not isinstance(name, str) else "apiVersion"
        text = (
            f"{missing} is missing: every object needs apiVersion (one of {', '.join(VERSIONS)}, …) and kind."
        )
        return None, [_file_problem(positions, Reason.WRONG_TYPE, text, (missing,))]
    problems: list[Problem] = []
    kind = find(version, name)
    if kind is None:
        meant = resembling(version, name)
        if meant is None:
            text = f"Objects of kind {name} ({version}) are left alone: no external network is in them."
            place = positions.place(("kind",))
            unread.setdefault(name, Problem(Severity.NOTICE, Reason.NOT_ACTED_ON, name, text, place))
            return None, []
        kind, right = meant
        wrong = "kind" if kind.name != name else "apiVersion"
        text = f"There is no {name} in {version}: did you mean kind {kind}, apiVersion {right}?"
        subject = f"{name} {source_text(called)}" if called else name
        problems.append(
            Problem(Severity.REFUSED, Reason.UNKNOWN_KIND, subject, text, positions.place((wrong,)))
        )
        if not lenient:
            return None, problems
        version = right
    subject = f"{kind} {_full_name(kind, metadata, called)}" if called else str(kind)
    problems += misplaced(raw, kind, version, subject, positions)
    model: Any
    try:
        model = kind.model.model_validate(raw)
    except ValidationError as error:
        problems += explain(error, kind, version, subject, positions)
        model = _repaired(kind, raw, error) if lenient else None
    if model is None:
        return None, problems
    return Entry(kind, model, positions, tuple(problems)), problems


def _full_name(kind: Kind, metadata: Any, name: Any) -> str:
    namespace = source_text(metadata.get("namespace") or "default")
    return f"{namespace}/{source_text(name)}" if kind.namespaced else source_text(name)


def _repaired(kind: Kind, raw: dict[str, Any], error: ValidationError) -> Any:
    """The object without the fields that are wrong; None if it is none without them."""
    raw = copy.deepcopy(raw)
    for _ in range(_MAX_REPAIRS):
        paths = sorted({path_of(details) for details in error.errors(include_url=False)}, key=_last_first)
        removed = [_remove(raw, path) for path in reversed(paths)]
        if not any(removed):
            return None
        try:
            return kind.model.model_validate(raw)
        except ValidationError as again:
            error = again
    return None


def _last_first(path: FieldPath) -> tuple[tuple[int, str, int], ...]:
    """An order in which the items of one list stand by their index; reversed, removing one moves no other."""
    return tuple((0, "", part) if isinstance(part, int) else (1, part, 0) for part in path)


def _remove(raw: Any, path: FieldPath) -> bool:
    """Remove a field, or the nearest list item around one that is missing itself."""
    holders: list[Any] = [raw]
    for part in path:
        holder = holders[-1]
        if not (part in holder if isinstance(holder, dict) else isinstance(holder, list)):
            break
        holders.append(holder[part])
    found = path[: len(holders) - 1]
    if len(found) < len(path):
        while found and not isinstance(found[-1], int):
            found = found[:-1]
    if not found:
        return False
    del holders[len(found) - 1][found[-1]]
    return True


def _without_duplicates(
    entries: list[Entry[Any]], problems: list[Problem], lenient: bool
) -> list[Entry[Any]]:
    """Objects of one kind, namespace and name exclude each other; leniently, all of them are broken."""
    groups: dict[tuple[Kind, str, str], list[Entry[Any]]] = {}
    for entry in entries:
        groups.setdefault((entry.kind, entry.namespace, entry.name), []).append(entry)
    kept: list[Entry[Any]] = []
    for group in groups.values():
        if len(group) == 1:
            kept += group
            continue
        first = group[0].positions.place(("metadata", "name"))
        for entry in group[1:]:
            text = (
                f"{entry.subject} is also in {first.file}, line {first.line}: rename or remove one of them."
            )
            problems.append(entry.refused(Reason.DUPLICATE_NAME, text, "metadata", "name"))
        if lenient:
            kept += [replace(entry, broken=(*entry.broken, problems[-1])) for entry in group]
    return kept


def _not_acted_on(entries: list[Entry[Any]]) -> Iterator[Problem]:
    """One notice for each field of a kind that is set somewhere and has no effect."""
    found: dict[tuple[str, str], Problem] = {}
    for entry in entries:
        spec = getattr(entry.model, "spec", None)
        if spec is None or entry.kind not in KINDS or entry.broken:
            continue
        for field in neglected(spec):
            if field.limits:
                continue
            path = ("spec", *field.path)
            general = dotted(tuple(part for part in path if isinstance(part, str)))
            why = f": {field.remark}" if field.remark else " yet"
            text = f"{general} of {entry.kind} is understood, but not acted on{why}."
            found.setdefault((entry.kind.name, general), entry.notice(Reason.NOT_ACTED_ON, text, *path))
    return iter(found.values())


def _file_problem(positions: Positions, reason: Reason, text: str, path: FieldPath = ()) -> Problem:
    place = positions.place(path)
    return Problem(Severity.REFUSED, reason, f"file {Path(positions.file).name}", text, place)
