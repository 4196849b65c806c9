"""The common ground of all kinds: strict and open models, `metadata`, and the shape of an object."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from vrfbgp.config.schema import forms
from vrfbgp.config.schema.faults import out_of_range
from vrfbgp.config.schema.scalars import StringMap, Text

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def _name(text: str) -> str:
    if len(text) > 253 or not _NAME.fullmatch(text):
        raise out_of_range(
            f"{text[:40]!r} is no name: at most 253 letters, digits, '.', '_' and '-', the ends alphanumeric"
        )
    return text


def _name_or_nothing(text: str) -> str:
    return _name(text) if text else text


Name = Annotated[Text, AfterValidator(_name), forms.NAME]
"""The name of an object (Calico: alphanumeric with '.', '_' and '-'; at most 253 characters)."""
Reference = Annotated[Text, AfterValidator(_name_or_nothing), forms.REFERENCE]
"""The name of another object, or "" for none."""


class Open(BaseModel):
    """Takes what it knows and leaves the rest: what a cluster adds is no error."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=False, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, raw: Any) -> Any:
        """Kubernetes takes a null for a field that is not there."""
        if not isinstance(raw, dict):
            return raw
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in raw.items() if value is not None or key not in known}


class Strict(Open):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")


class Metadata(Open):
    """The part of `metadata` that names an object and labels it."""

    name: Name
    namespace: Reference = ""
    labels: StringMap = Field(default_factory=dict)
    annotations: StringMap = Field(default_factory=dict)


class Resource(Strict):
    """An object of a kind whose `spec` is strict; `status` is whatever a cluster put there."""

    api_version: Text
    kind: Text
    metadata: Metadata
    status: Any = None


class OpenResource(Open):
    """An object of a kind that is read for a few fields only."""

    api_version: Text
    kind: Text
    metadata: Metadata
