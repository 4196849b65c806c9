"""The JSON Schema (draft 2020-12) of all kinds, made of the models: what an editor checks and completes by.

It refuses no document that is taken; conditions between fields, and between objects, are left to `check`. A
kind with fields of ours has two forms: Calico's apiVersion does not have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from vrfbgp.config.schema.effect import inner_model, our_fields, unset, written
from vrfbgp.config.schema.forms import Form, or_null, suggested
from vrfbgp.config.schema.kinds import CORE, GROUPS, KINDS, OURS, Kind
from vrfbgp.config.schema.meaning import meanings, plain

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
_OTHER = "another kind"
_LIST = "List"
_GROUP = OURS.partition("/")[0]
_MODE: JsonSchemaMode = "validation"


class UnknownKind(LookupError):
    """There is no kind of this name among those that are read."""


def json_schema(name: str | None = None) -> Form:
    """The schema of all kinds, or of those with a name (there are two called Node). Raises UnknownKind."""
    kinds = tuple(kind for kind in KINDS if name in (None, kind.name))
    if not kinds:
        known = ", ".join(dict.fromkeys(kind.name for kind in KINDS))
        raise UnknownKind(f"{name!r} is no kind that is read: give one of {known}")
    found, below = models_json_schema(
        [(kind.model, _MODE) for kind in kinds], by_alias=True, schema_generator=_Writer
    )
    definitions: dict[str, Form] = below["$defs"]
    choices = []
    for kind in kinds:
        whole = found[(kind.model, _MODE)]["$ref"].removeprefix(_REF)
        choices += list(_versions(kind, whole, definitions))
    if name is None:
        definitions |= {_LIST: _list_of_any(), _OTHER: _anything_else()}
        choices += [_LIST, _OTHER]
    title = name or "vrfbgp"
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": {
            "apiVersion": suggested(version for kind in kinds for version in kind.versions),
            "kind": suggested(kind.name for kind in kinds),
        },
        "oneOf": [{"$ref": _REF + choice} for choice in choices],
        "$defs": definitions,
    }


def definition_of(model: type[BaseModel], definitions: dict[str, Form]) -> str:
    """The name of the definition that has all fields of a model."""
    own = f"{model.__name__}.{_GROUP}"
    return own if own in definitions else model.__name__


def _versions(kind: Kind, name: str, definitions: dict[str, Form]) -> Iterable[str]:
    """Fix apiVersion and kind; where ours has more fields, make a form of its own for it."""
    whole = definitions[name]
    split = list(_with_ours(kind.spec)) if kind.spec else []
    if not split:
        definitions[name] = _fixed(whole, kind, kind.versions)
        return (name,)
    own = {_REF + model.__name__: f"{_REF}{model.__name__}.{_GROUP}" for model in split}
    for model in split:
        full, ours = definitions[model.__name__], our_fields(model)
        definitions[f"{model.__name__}.{_GROUP}"] = _referring(full, own)
        calico = {key: form for key, form in full["properties"].items() if key not in ours}
        definitions[model.__name__] = full | {"properties": calico}
    definitions[name] = _fixed(whole, kind, tuple(one for one in kind.versions if one != OURS))
    definitions[f"{name}.{_GROUP}"] = _fixed(_referring(whole, own), kind, (OURS,))
    return (name, f"{name}.{_GROUP}")


def _with_ours(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models, of this and those within, that have a field of ours, or have one that has."""
    inner = [one for field in model.model_fields.values() if (one := inner_model(field))]
    found = dict.fromkeys(below for one in inner for below in _with_ours(one))
    yield from found
    if our_fields(model) or found:
        yield model


def _referring(form: Any, to: Mapping[str, str]) -> Any:
    """The same with references to other definitions."""
    if isinstance(form, list):
        return [_referring(one, to) for one in form]
    if not isinstance(form, dict):
        return form
    return {key: to.get(one, one) if key == "$ref" else _referring(one, to) for key, one in form.items()}


def _fixed(form: Form, kind: Kind, versions: tuple[str, ...]) -> Form:
    one: Form = {"const": versions[0]} if len(versions) == 1 else {"enum": list(versions)}
    return form | {"properties": form["properties"] | {"apiVersion": one, "kind": {"const": kind.name}}}


def _list_of_any() -> Form:
    """A List of Kubernetes, whose items are objects themselves."""
    return {
        "type": "object",
        "properties": {
            "apiVersion": suggested([CORE]),
            "kind": {"const": _LIST},
            "items": {"type": "array", "items": {"$ref": "#"}},
        },
        "required": ["kind"],
    }


def _anything_else() -> Form:
    """What is left alone: other kinds, and those of other groups that have a name of ours."""
    names = [_LIST, *dict.fromkeys(kind.name for kind in KINDS)]
    groups = "|".join(group.replace(".", r"\.") for group in GROUPS)
    return {
        "type": "object",
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}},
        "required": ["apiVersion", "kind"],
        "anyOf": [
            {"properties": {"kind": {"not": {"enum": names}}}},
            {"properties": {"apiVersion": {"pattern": f"^(?!({groups})/)[^/]+/"}}},
        ],
    }


class _Writer(GenerateJsonSchema):
    """Pydantic's, with the fields as the user writes them: no titles made of names, null for not given."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Form:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Form:
        return self.generate_inner(schema["schema"])

    def model_schema(self, schema: core_schema.ModelSchema) -> Form:
        form = super().model_schema(schema)
        form.pop("title", None)
        form.pop("description", None)
        properties: dict[str, Form] = form["properties"]
        said = {name: plain(text) for name, text in meanings(schema["cls"]).items()}
        for name, field in schema["cls"].model_fields.items():
            alias = field.alias or name
            if not field.is_required():
                properties[alias] = or_null(properties[alias]) | _default(field)
            if name in said:
                words = unset(field)
                otherwise = f" If it is not given: {words}." if words not in ("", "required") else ""
                properties[alias] = properties[alias] | {"description": said[name] + otherwise}
        return form


def _default(field: FieldInfo) -> Form:
    """The default, if it is one that a user could write."""
    value = written(field)
    return {} if value is None else {"default": value}
