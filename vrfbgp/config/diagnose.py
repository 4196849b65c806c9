"""From pydantic's errors to problems a user can act on: the field, its line, the cause, a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vrfbgp.config.documents import FieldPath, Positions, dotted
from vrfbgp.config.schema.effect import inner_model, is_ours, our_fields
from vrfbgp.config.schema.kinds import OURS, Kind
from vrfbgp.intent import Problem, Reason, Severity

_TYPES = {
    "missing": (Reason.WRONG_TYPE, "is missing"),
    "model_type": (Reason.WRONG_TYPE, "must be a mapping"),
    "model_attributes_type": (Reason.WRONG_TYPE, "must be a mapping"),
    "dict_type": (Reason.WRONG_TYPE, "must be a mapping"),
    "invalid_key": (Reason.WRONG_TYPE, "must have strings as keys"),
}


def explain(
    error: ValidationError, kind: Kind, version: str, subject: str, positions: Positions
) -> list[Problem]:
    """One problem for each of the errors, in the order of the lines."""
    problems = []
    found = error.errors(include_url=False, include_input=False)
    unknown = {path_of(details) for details in found if details["type"] == "extra_forbidden"}
    meant = {(*path[:-1], _near(path, kind, version)) for path in unknown}
    for details in found:
        path = path_of(details)
        if details["type"] == "missing" and path in meant:
            continue  # it is there, misspelt: one problem, not two
        reason, text = _cause(details, path, kind, version)
        text = f"{dotted(path) or kind} {text}"
        text = text if text.endswith((".", "?")) else text + "."
        problems.append(Problem(Severity.REFUSED, reason, subject, text, positions.place(path)))
    return sorted(problems, key=lambda problem: problem.place.line)


def path_of(details: ErrorDetails) -> FieldPath:
    """The field that an error is about; a model's own error names one of its fields."""
    field = details.get("ctx", {}).get("field")
    return (*details["loc"], field) if field else tuple(details["loc"])


def misplaced(
    raw: dict[str, Any], kind: Kind, version: str, subject: str, positions: Positions
) -> Iterator[Problem]:
    """Fields of ours in an object that says to be Calico's."""
    if version == OURS or kind.spec is None:
        return
    for path in _ours_in(raw.get("spec"), kind.spec, ("spec",)):
        text = (
            f"{dotted(path)} is a field of {OURS}: change apiVersion from {version} to {OURS}, or remove it."
        )
        yield Problem(Severity.REFUSED, Reason.UNKNOWN_FIELD, subject, text, positions.place(path))


def _ours_in(raw: Any, model: type[BaseModel], path: FieldPath) -> Iterator[FieldPath]:
    if isinstance(raw, list):
        for index, item in enumerate(raw):
            yield from _ours_in(item, model, (*path, index))
    if not isinstance(raw, dict):
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name in filter(fields.__contains__, raw):
        inner = inner_model(fields[name])
        if is_ours(fields[name]):
            yield (*path, name)
        elif inner is not None:
            yield from _ours_in(raw[name], inner, (*path, name))


def _cause(details: ErrorDetails, path: FieldPath, kind: Kind, version: str) -> tuple[Reason, str]:
    match details["type"]:
        case "extra_forbidden":
            return Reason.UNKNOWN_FIELD, _unknown(path, kind, version)
        case "wrong-type" | "out-of-range" | "exclusive-fields" as own:
            return Reason(own), details["msg"]
        case known if known in _TYPES:
            reason, text = _TYPES[known]
            return reason, f"{text}: {kind} needs it" if known == "missing" else text
        case _:
            return Reason.WRONG_TYPE, details["msg"]


def _unknown(path: FieldPath, kind: Kind, version: str) -> str:
    near = _near(path, kind, version)
    where = ".".join((str(kind), *(str(part) for part in path[:-1] if isinstance(part, str))))
    if near:
        return f"is no field of {where}: did you mean {near}?"
    return f"is no field of {where}: remove it, or see the list of fields in the documentation"


def _near(path: FieldPath, kind: Kind, version: str) -> str:
    """The field that was probably meant, or ""."""
    around = _model_at(kind.model, path[:-1])
    names = {field.alias or name for name, field in around.model_fields.items()} if around else set()
    if version != OURS and around:
        names -= our_fields(around)
    lowered = {name.lower(): name for name in sorted(names)}
    near = difflib.get_close_matches(str(path[-1]).lower(), lowered, n=1, cutoff=0.6)
    return lowered[near[0]] if near else ""


def _model_at(model: type[BaseModel], path: FieldPath) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for part in path:
        if found is None or isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in found.model_fields.items()}
        found = inner_model(fields[part]) if part in fields else None
    return found
