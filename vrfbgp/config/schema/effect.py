"""Which field has an effect: annotations of the models, and the table that is made of them.

A field of a strict model that says nothing is *not acted on*: the user is told once per kind and field.
`ACTED` fields are used; fields with `Limits` are not yet, and their neglect would let more through, so
that they degrade their peer or network; `Remark` says why something needs no acting on. `OURS` marks a
field of `vrfbgp.io/v1alpha1`. The documents' tables (`page`) and the editors' schema (`editor`) are made of
this, so the models are their only source.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vrfbgp.config.schema.forms import DURATION

Path = tuple[str | int, ...]


class Effect(StrEnum):
    """What a field does today."""

    ACTED = "acted on"
    IGNORED = "not acted on"
    LIMITS = "not acted on, degrades"


@dataclass(frozen=True, slots=True)
class Acted:
    """The field is used, or, if it holds a model, the fields within say so themselves."""


@dataclass(frozen=True, slots=True)
class Ours:
    """The field is no field of Calico's."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Not acted on yet, and neglect would let more through; values in `harmless` do not degrade."""

    harmless: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """Why the field is not acted on, as half a sentence that follows "is not acted on: "."""

    text: str


@dataclass(frozen=True, slots=True)
class Unset:
    """What holds if the field is not given, in words: its default alone does not say it."""

    text: str


ACTED = Acted()
OURS = Ours()


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the table. `path` as the user writes it below `spec`, `[]` for any item of a list."""

    path: str
    effect: Effect
    ours: bool
    annotation: str
    default: Any
    remark: str


def table(model: type[BaseModel], prefix: str = "spec") -> Iterator[Field]:
    """All fields of a model and of the models within, in order of declaration."""
    for name, field in model.model_fields.items():
        path = f"{prefix}.{field.alias or name}"
        inner = inner_model(field)
        remark = next((mark.text for mark in field.metadata if isinstance(mark, Remark)), "")
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        yield Field(path, effect_of(field), is_ours(field), _type_name(field), default, remark)
        if inner is not None and effect_of(field) is Effect.ACTED:
            yield from table(inner, path + "[]" if is_list(field) else path)


def effect_of(field: FieldInfo) -> Effect:
    """What the field's annotation says."""
    if any(isinstance(mark, Acted) for mark in field.metadata):
        return Effect.ACTED
    return Effect.LIMITS if any(isinstance(mark, Limits) for mark in field.metadata) else Effect.IGNORED


def is_ours(field: FieldInfo) -> bool:
    """Whether the field is of the superset alone."""
    return any(isinstance(mark, Ours) for mark in field.metadata)


def our_fields(model: type[BaseModel]) -> frozenset[str]:
    """The superset's fields of a spec, as the user writes them."""
    return frozenset(field.alias or name for name, field in model.model_fields.items() if is_ours(field))


def unset(field: FieldInfo) -> str:
    """What holds if the field is not given, if its default does not say it; else ""."""
    return next((mark.text for mark in field.metadata if isinstance(mark, Unset)), "")


def written(field: FieldInfo) -> str | int | bool | list[str] | None:
    """The field's default as a user would write it; None if there is none, or it is "not given"."""
    if field.is_required() or unset(field):
        return None
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, tuple):
        return [str(item) for item in value] or None
    if isinstance(value, int):
        return f"{value}s" if any(mark is DURATION for mark in field.metadata) else value
    return str(value) if value and not isinstance(value, dict | BaseModel) else None


@dataclass(frozen=True, slots=True)
class Neglected:
    """A field that the user set to something, and that has no effect."""

    path: Path
    limits: bool
    """Its neglect lets more through."""
    remark: str


def neglected(model: BaseModel) -> Iterator[Neglected]:
    """The fields of a validated spec that are set, say something, and have no effect.

    A value equal to the default says nothing: dumps of a cluster are full of those.
    """
    for name, field in type(model).model_fields.items():
        if name not in model.model_fields_set:
            continue
        value = getattr(model, name)
        alias = field.alias or name
        match effect_of(field):
            case Effect.ACTED:
                for path, item in _models_in(value):
                    for found in neglected(item):
                        yield Neglected((alias, *path, *found.path), found.limits, found.remark)
            case effect:
                if value is None or value == field.get_default(call_default_factory=True):
                    continue
                limits = effect is Effect.LIMITS and value not in _harmless(field)
                remark = next((mark.text for mark in field.metadata if isinstance(mark, Remark)), "")
                yield Neglected((alias,), limits, remark)


def inner_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model that the field holds, itself or in a list."""
    found = [
        part for part in _parts(field.annotation) if isinstance(part, type) and issubclass(part, BaseModel)
    ]
    return found[0] if found else None


def is_list(field: FieldInfo) -> bool:
    """Whether the field holds a list."""
    return typing.get_origin(_bare(field.annotation)) in (list, tuple, Sequence)


def _models_in(value: Any) -> Iterator[tuple[Path, BaseModel]]:
    if isinstance(value, BaseModel):
        yield (), value
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            if isinstance(item, BaseModel):
                yield (index,), item


def _harmless(field: FieldInfo) -> tuple[Any, ...]:
    return next((mark.harmless for mark in field.metadata if isinstance(mark, Limits)), ())


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _bare(annotation: Any) -> Any:
    """`X` of `X | None`, and of `Annotated[X, …]`."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = get_args(annotation)[0]
            continue
        parts = [part for part in get_args(annotation) if part is not type(None)]
        if len(parts) != 1 or type(None) not in get_args(annotation):
            return annotation
        annotation = parts[0]


def _type_name(field: FieldInfo) -> str:
    bare = _bare(field.annotation)
    if typing.get_origin(bare) is tuple:
        bare, plural = _bare(get_args(bare)[0]), "[]"
    else:
        plural = ""
    return (bare.__name__ if isinstance(bare, type) else str(bare).replace("ipaddress.", "")) + plural
