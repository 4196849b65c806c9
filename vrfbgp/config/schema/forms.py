"""How each field type looks in JSON Schema, for editors: a superset of what the type takes, near to it.

What a pattern can't say (a selector's grammar, the groups of an IPv6 address) is left to the daemon; what the
daemon takes, a form never refuses. `title` is what a person calls the type. The patterns are ECMA 262's
(JSON Schema 2020-12 Core 6.4), which has no flags within a pattern. `patternErrorMessage` is a word of the
language services of Visual Studio Code and of yaml-language-server; others pass over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import WithJsonSchema

Form = dict[str, Any]

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
_EITHER = f"({_IPV4}|{_IPV6})"
_LENGTH = r"/[0-9.]+"
_SCOPE = "(%[^/]+)?"
_ZONE = "(%[A-Za-z0-9._@+=~-]{1,15})?"


def _form(types: str | list[str], title: str, pattern: str, **more: Any) -> WithJsonSchema:
    matched = {"pattern": f"^{pattern}$", "patternErrorMessage": f"Must be: {title}."}
    return WithJsonSchema({"type": types, "title": title, **matched, **more})


def _padded(pattern: str) -> str:
    return rf"\s*({pattern})\s*"


_NAME = "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_AS_NUMBER = "AS number"

INTEGER = _form(["integer", "string"], "whole number", _padded("[+-]?[0-9]{1,20}"))
"""A quoted number is one, too."""
BOOLEAN = _form(["boolean", "string"], "boolean", "([Yy][Ee][Ss]|[Oo][Nn]|[Nn][Oo]|[Oo][Ff][Ff])")
"""The words are booleans of YAML 1.1, strings of YAML 1.2."""
DURATION = _form("string", "duration", r"(0|(([0-9]{1,12}(\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|ms|s|m|h))+)")
AS_NUMBER = _form(
    ["number", "string"],
    _AS_NUMBER,
    _padded(r"[0-9]{1,10}(\.[0-9]{1,5})?"),
    minimum=0,
    maximum=2**32 - 1,
)
"""A dotted one (RFC 5396) that is not quoted is a number of YAML, 0.100 a small one that is AS 100."""
IPV4_ADDRESS = _form("string", "IPv4 address", _padded(_IPV4))
ADDRESS = _form("string", "address", _padded(_EITHER))
NETWORK = _form("string", "CIDR", _padded(f"{_EITHER}{_SCOPE}({_LENGTH})?"))
INTERFACE_ADDRESS = _form(
    "string", "address, with or without length", _padded(f"{_EITHER}{_SCOPE}({_LENGTH})?")
)
ENDPOINT = _form(
    "string",
    "address, with or without port",
    _padded(rf"{_IPV4}(:[0-9]{{1,5}})?|{_IPV6}{_ZONE}|\[({_IPV4}|{_IPV6}{_ZONE})\](:[0-9]{{1,5}})?"),
)
SELECTOR = WithJsonSchema({"type": "string", "title": "label selector", "maxLength": 1024})
DEVICE = _form("string", "device", "[A-Za-z0-9._@+=~-]{0,15}")
COMMUNITY = _form("string", "community", "[0-9]{1,10}(:[0-9]{1,10}){1,2}")
NAME = _form("string", "name", _NAME, maxLength=253)
REFERENCE = _form("string", "name", f"({_NAME})?", maxLength=253)
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
    if form["title"] == _AS_NUMBER:
        return form
    if "integer" in form["type"]:
        return form | {"minimum": low, "maximum": high}
    return form | {"title": f"{form['title']}, {low}s to {high}s"}


def suggested(words: Iterable[str]) -> Form:
    """Any string; an editor offers these."""
    return {"anyOf": [{"enum": list(dict.fromkeys(words))}, {"type": "string"}]}


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
