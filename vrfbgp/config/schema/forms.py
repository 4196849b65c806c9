"""How each field type looks in JSON Schema, for editors: a superset of what the type takes, near to it.

What a pattern can't say (a selector's grammar, the groups of an IPv6 address) is left to the daemon; what the
daemon takes, a form never refuses. `title` is what a person calls the type. The patterns are ECMA 262's
(JSON Schema 2020-12 Core 6.4), which has no flags within a pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import WithJsonSchema

Form = dict[str, Any]

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
_EITHER = f"({_IPV4}|{_IPV6})"
_LENGTH = r"/[0-9.]+"
_SCOPE = "(%[^/]+)?"


def _string(title: str, pattern: str, *, padded: bool = False) -> WithJsonSchema:
    pad = r"\s*" if padded else ""
    return WithJsonSchema({"type": "string", "title": title, "pattern": f"^{pad}{pattern}{pad}$"})


INTEGER = WithJsonSchema(
    {"type": ["integer", "string"], "title": "whole number", "pattern": r"^\s*[+-]?[0-9]{1,20}\s*$"}
)
"""A quoted number is one, too."""
BOOLEAN = WithJsonSchema(
    {
        "type": ["boolean", "string"],
        "title": "boolean",
        "pattern": "^([Yy][Ee][Ss]|[Oo][Nn]|[Nn][Oo]|[Oo][Ff][Ff])$",
    }
)
"""The words are booleans of YAML 1.1, strings of YAML 1.2."""
DURATION = _string("duration", r"(0|(([0-9]{1,12}(\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|ms|s|m|h))+)")
_AS_NUMBER: Form = {
    "type": ["number", "string"],
    "title": "AS number",
    "minimum": 0,
    "maximum": 2**32 - 1,
    "pattern": r"^\s*[0-9]{1,10}(\.[0-9]{1,5})?\s*$",
}
AS_NUMBER = WithJsonSchema(_AS_NUMBER)
"""A dotted one (RFC 5396) that is not quoted is a number of YAML, 0.100 a small one that is AS 100."""
IPV4_ADDRESS = _string("IPv4 address", _IPV4, padded=True)
ADDRESS = _string("address", _EITHER, padded=True)
NETWORK = _string("CIDR", f"{_EITHER}{_SCOPE}({_LENGTH})?", padded=True)
INTERFACE_ADDRESS = _string("address, with or without length", f"{_EITHER}{_SCOPE}({_LENGTH})?", padded=True)
ENDPOINT = _string(
    "address, with or without port",
    rf"({_IPV4}(:[0-9]{{1,5}})?|{_IPV6}|\[{_EITHER}\](:[0-9]{{1,5}})?)",
    padded=True,
)
SELECTOR = WithJsonSchema({"type": "string", "title": "label selector", "maxLength": 1024})
DEVICE = _string("device", "[A-Za-z0-9._@+=~-]{0,15}")
COMMUNITY = _string("community", "[0-9]{1,10}(:[0-9]{1,10}){1,2}")
NAME = WithJsonSchema(
    {
        "type": "string",
        "title": "name",
        "maxLength": 253,
        "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
    }
)
REFERENCE = WithJsonSchema(
    {
        "type": "string",
        "title": "name",
        "maxLength": 253,
        "pattern": "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$",
    }
)
STRING_MAP = WithJsonSchema(
    {
        "type": "object",
        "title": "mapping of strings",
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    }
)
INTEGER_OR_STRING = WithJsonSchema({"type": ["integer", "string"], "title": "whole number or string"})


def within(form: Form, low: int, high: int) -> Form:
    """The form with bounds, both included; of a duration, in its name, as they are seconds."""
    if form["title"] == _AS_NUMBER["title"]:
        return form
    if "integer" in form["type"]:
        return form | {"minimum": low, "maximum": high}
    return form | {"title": f"{form['title']}, {low}s to {high}s"}


def one_of(words: Sequence[str]) -> Form:
    """One of these words."""
    return {"type": "string", "enum": list(words)}


def one_of_any_case(words: Sequence[str]) -> Form:
    """One of these words, or none, in any case; an editor offers the case given here."""
    any_case = "|".join("".join(map(_either_case, word)) for word in words)
    return {"anyOf": [{"enum": list(words)}, {"type": "string", "pattern": f"^({any_case})?$"}]}


def _either_case(letter: str) -> str:
    return f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter


def or_null(form: Form) -> Form:
    """The form of a field that may be there without a value, which Kubernetes takes for one that is not."""
    if "enum" in form:
        form = form | {"enum": [*form["enum"], None]}
    if "type" in form:
        types = form["type"] if isinstance(form["type"], list) else [form["type"]]
        return form | {"type": [*types, "null"]}
    if "anyOf" in form:
        return form | {"anyOf": [*form["anyOf"], {"type": "null"}]}
    return {"anyOf": [form, {"type": "null"}]} if form else form
