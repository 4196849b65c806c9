"""Calico's label selectors: text in, predicate over labels out.

The grammar and the meaning are those of libcalico-go's selector package: `!=` and `not in` match
where the label is missing, every other comparison does not; `&&` binds tighter than `||`; strings have
no escapes; operators are keywords only behind a label, so a label may be called `in` or `has`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

Labels = Mapping[str, str]

MAX_LENGTH = 1024
"""Characters, as in Calico's CRDs. It also keeps nesting below the interpreter's stack."""

_GRAMMAR = r"""
?start: either
?either: both ("||" both)*
?both: operation ("&&" operation)*
?operation: "!" operation              -> negate
    | "(" either ")"
    | ALL                              -> everything
    | HAS LABEL ")"                    -> has
    | LABEL "==" STRING                -> equal
    | LABEL "!=" STRING                -> differs
    | LABEL CONTAINS STRING            -> contains
    | LABEL STARTS_WITH STRING         -> starts_with
    | LABEL ENDS_WITH STRING           -> ends_with
    | LABEL IN "{" strings "}"         -> is_in
    | LABEL NOT_IN "{" strings "}"     -> not_in
strings: [STRING ("," STRING)* [","]]

ALL.3: /(all|global)\([ \t]*\)/
HAS.3: /has\(/
CONTAINS.2: "contains"
STARTS_WITH.2: /starts[ \t]*with/
ENDS_WITH.2: /ends[ \t]*with/
NOT_IN.2: /not[ \t]*in/
IN.2: "in"
LABEL: /[a-zA-Z0-9_.\/-]+/
STRING: /"[^"]*"|'[^']*'/
%ignore /[ \t]+/
"""

_WORDS = {
    "LABEL": "a label name",
    "STRING": "a quoted string",
    "ALL": "all()",
    "HAS": "has(",
    "CONTAINS": "contains",
    "STARTS_WITH": "starts with",
    "ENDS_WITH": "ends with",
    "NOT_IN": "not in",
    "IN": "in",
    "BANG": "!",
    "LPAR": "(",
    "RPAR": ")",
    "LBRACE": "{",
    "RBRACE": "}",
    "COMMA": ",",
    "$END": "the end",
}


class SelectorError(ValueError):
    """The text is no selector. `position` counts characters from 1."""

    def __init__(self, position: int, text: str) -> None:
        super().__init__(f"at character {position}: {text}")
        self.position = position


@dataclass(frozen=True, slots=True)
class _All:
    def matches(self, labels: Labels) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class _Compare:
    """`operator` is the name of the grammar's alternative; `operands` its strings."""

    label: str
    operator: str
    operands: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.label)
        if value is None:
            return self.operator in ("differs", "not_in")
        match self.operator:
            case "has":
                return True
            case "equal" | "is_in":
                return value in self.operands
            case "differs" | "not_in":
                return value not in self.operands
            case "contains":
                return self.operands[0] in value
            case "starts_with":
                return value.startswith(self.operands[0])
            case _:
                return value.endswith(self.operands[0])


@dataclass(frozen=True, slots=True)
class _Not:
    term: _Term

    def matches(self, labels: Labels) -> bool:
        return not self.term.matches(labels)


@dataclass(frozen=True, slots=True)
class _And:
    terms: tuple[_Term, ...]

    def matches(self, labels: Labels) -> bool:
        return all(term.matches(labels) for term in self.terms)


@dataclass(frozen=True, slots=True)
class _Or:
    terms: tuple[_Term, ...]

    def matches(self, labels: Labels) -> bool:
        return any(term.matches(labels) for term in self.terms)


_Term = _All | _Compare | _Not | _And | _Or


@dataclass(frozen=True, slots=True)
class Selector:
    """A compiled selector; `text` is what the user wrote."""

    text: str
    root: _Term

    def matches(self, labels: Labels) -> bool:
        """Whether something with these labels is selected."""
        return self.root.matches(labels)

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Selector:
    """Compile a selector; an empty one selects everything. Raises SelectorError."""
    if len(text) > MAX_LENGTH:
        raise SelectorError(MAX_LENGTH, f"a selector has at most {MAX_LENGTH} characters")
    if not text.strip(" \t"):
        return Selector(text, _All())
    try:
        return Selector(text, _parser().parse(text))  # type: ignore[arg-type]
    except UnexpectedInput as error:
        raise _explain(text, error) from None


def _one(operator: str) -> Callable[[Any, list[Token]], _Term]:
    """LABEL, perhaps a keyword, STRING."""
    return lambda _, words: _Compare(str(words[0]), operator, (str(words[-1])[1:-1],))


def _many(operator: str) -> Callable[[Any, list[Any]], _Term]:
    """LABEL, a keyword, the strings of a set."""
    return lambda _, words: _Compare(str(words[0]), operator, words[-1])


class _Build(Transformer[Token, Any]):
    """Runs while the parser reduces, so that deep nesting needs no stack."""

    @v_args(inline=True)
    def negate(self, term: _Term) -> _Term:
        return term.term if isinstance(term, _Not) else _Not(term)

    def everything(self, _: list[Token]) -> _Term:
        return _All()

    def has(self, words: list[Token]) -> _Term:
        return _Compare(str(words[1]), "has")

    def strings(self, words: list[Token | None]) -> tuple[str, ...]:
        return tuple(sorted({word[1:-1] for word in words if word is not None}))

    def either(self, terms: list[_Term]) -> _Term:
        return _Or(tuple(terms))

    def both(self, terms: list[_Term]) -> _Term:
        return _And(tuple(terms))

    equal = _one("equal")
    differs = _one("differs")
    contains = _one("contains")
    starts_with = _one("starts_with")
    ends_with = _one("ends_with")
    is_in = _many("is_in")
    not_in = _many("not_in")


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=_Build(), maybe_placeholders=False)


def _explain(text: str, error: UnexpectedInput) -> SelectorError:
    at = len(text) if isinstance(error, UnexpectedEOF) else (error.pos_in_stream or 0)
    expected: set[str] = set()
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type == "$END":
            at = len(text)
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
    names = {"__ANON_0": "||", "__ANON_1": "&&", "__ANON_2": "==", "__ANON_3": "!="} | _WORDS
    wanted = sorted(names.get(name, name) for name in expected)
    if text[at : at + 1] in ("'", '"') and text.count(text[at], at) == 1:
        return SelectorError(at + 1, "the string has no closing quote")
    found = f"found {text[at : at + 12]!r}" if at < len(text) else "the selector ends"
    hint = f", expected one of: {'  '.join(wanted)}" if wanted else ""
    return SelectorError(at + 1, found + hint)
