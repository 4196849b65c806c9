"""Files to documents: YAML and JSON as plain values, with the line of every field.

YAML's tree of nodes is turned into values here rather than by the library's constructor, so that every
field keeps its line and every number the way it was written (`1.10` may be an AS number, `010` a label),
and so that nothing but strings, numbers, booleans, lists and mappings can come out.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from vrfbgp.config.files import SUFFIXES, files_of
from vrfbgp.intent import Place, Problem, Reason, Severity

MAX_ALIASED = 100_000
"""Values beyond those that are written out: a few kilobytes of nested aliases can stand for billions."""
MAX_DEPTH = 100

FieldPath = tuple[str | int, ...]


class WrittenInt(int):
    """A whole number that remembers how it was written."""

    text: str


class WrittenFloat(float):
    """A number that remembers how it was written."""

    text: str


def source_text(value: Any) -> str:
    """A scalar as the user wrote it; booleans as `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(getattr(value, "text", value))


@dataclass(frozen=True, slots=True)
class Positions:
    """Where an object came from. `lines` holds the line, from 1, of every field of its document by path."""

    file: str
    lines: Mapping[FieldPath, int] = field(repr=False, compare=False)
    base: FieldPath = ()
    """The object's own path in the document, if it is an item of a list."""

    def place(self, path: FieldPath) -> Place:
        """The place of a field, or of the nearest one around it that was written."""
        known = (*self.base, *path)
        while known and known not in self.lines:
            known = known[:-1]
        return Place(self.file, self.lines.get(known, 0), dotted(path))

    def below(self, path: FieldPath) -> Positions:
        """The same for an object within this one."""
        return Positions(self.file, self.lines, (*self.base, *path))


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document, as plain values."""

    value: Any
    positions: Positions


def dotted(path: FieldPath) -> str:
    """`spec.ipPools[0].cidr`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_files(paths: Sequence[Path]) -> tuple[list[Document], list[Problem]]:
    """The documents of files and of the directories' files, each file once, and what was wrong with them."""
    documents: list[Document] = []
    problems: list[Problem] = []
    seen: set[Path] = set()
    for path in paths:
        try:
            files = files_of(path)
            if not files:
                problems.append(_empty(path))
            for file in files:
                real = file.resolve()
                if real in seen:
                    continue
                seen.add(real)
                read, wrong = parse(str(file), file.read_bytes())
                documents += read
                problems += wrong
        except (OSError, RuntimeError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            problems.append(
                _broken(str(path), 0, f"cannot be read: {cause}. Check the path and its permissions")
            )
    return documents, problems


def parse(file: str, content: bytes) -> tuple[list[Document], list[Problem]]:
    """The documents of one file; of one that is broken in places, those that are not."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return [], [
            _broken(file, line, f"is no UTF-8 text: byte 0x{content[error.start]:02x}. Save it as UTF-8")
        ]
    if file.endswith(".json"):
        # JSON allows tabs between its tokens and, unescaped, nowhere else; YAML does not allow them there.
        text = text.replace("\t", " ")
    documents, problem = _parse_part(file, text, 0)
    if problem is None:
        return documents, []
    parts = list(_split(text))
    if len(parts) == 1:
        return documents, [problem]
    documents, problems = [], []
    for start, part in parts:
        found, problem = _parse_part(file, part, start)
        documents += found
        if problem is not None:
            problems.append(problem)
    return documents, problems


def _split(text: str) -> Iterator[tuple[int, str]]:
    """The parts of a text between document markers, each with the count of lines before it."""
    start = 0
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if number > start and re.match(r"---(\s|$)", line):
            yield start, "".join(lines[start:number])
            start = number
    yield start, "".join(lines[start:])


def _parse_part(file: str, text: str, before: int) -> tuple[list[Document], Problem | None]:
    documents: list[Document] = []
    try:
        # The parser's warnings quote the file, which may be a Secret, on standard error.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for node in YAML(typ="safe", pure=True).compose_all(text):
                builder = _Builder(before, len(text) + MAX_ALIASED)
                value = builder.value(node, ())
                if value is not None:
                    documents.append(Document(value, Positions(file, builder.lines)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = before + mark.line + 1 if mark else 0
        what = _unquoted(" ".join(part for part in (error.problem, error.context) if part))
        return documents, _broken(file, line, f"is no YAML: {what}. Correct the syntax at this line")
    except _Unusable as error:
        return documents, _broken(file, error.line, str(error))
    except RecursionError:
        return documents, _broken(file, before + 1, "is nested too deeply. Flatten it")
    except Exception as error:  # the parser's own failures on odd input are the input's fault here
        what = _unquoted(f"{error}".partition("\n")[0][:200]) or type(error).__name__
        return documents, _broken(file, before + 1, f"is no YAML: {what}. Correct the syntax")
    return documents, None


def _unquoted(text: str) -> str:
    """The parser's words without what it quotes of the file, which may be a Secret; a character or two, and
    the names of its own tokens (`<block end>`), stay."""
    return re.sub(r"'(?!<)[^']{3,}'|\"[^\"]{3,}\"", "…", text)


class _Unusable(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class _Builder:
    """Turns one document's nodes into values and takes down the lines."""

    def __init__(self, before: int, most: int) -> None:
        self.lines: dict[FieldPath, int] = {}
        self._before = before
        self._most = most
        self._count = 0

    def value(self, node: Node | None, path: FieldPath) -> Any:
        if node is None:
            return None
        self._count += 1
        line = self._line(node)
        self.lines.setdefault(path, line)
        if self._count > self._most:
            raise _Unusable(line, "has aliases that stand for too many values. Write them out")
        if len(path) > MAX_DEPTH:
            raise _Unusable(
                line, f"is nested more than {MAX_DEPTH} deep. Flatten it, or break the circle of aliases"
            )
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            line = self._line(key_node)
            if not isinstance(key_node, ScalarNode):
                raise _Unusable(line, "has a key that is no scalar. Use plain strings as keys")
            key = str(key_node.value)
            if key == "<<" and not key_node.style:
                merged += value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                continue
            if key in found:
                raise _Unusable(line, f"has the key {key[:60]!r} twice in one mapping. Remove one of them")
            self.lines[(*path, key)] = line
            found[key] = self.value(value_node, (*path, key))
        for other in merged:
            if not isinstance(other, MappingNode):
                raise _Unusable(self._line(other), "merges (<<) something that is no mapping. Merge mappings")
            inherited = self._mapping_values(other, path)
            found = inherited | found
        return found

    def _mapping_values(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        """A merged mapping; a circle of merges ends by depth."""
        if len(path) > MAX_DEPTH or self._count > self._most:
            raise _Unusable(self._line(node), "is merged in a circle. Break it")
        self._count += 1 + len(node.value)
        return self._mapping(node, path)

    def _line(self, node: Node) -> int:
        return self._before + int(node.start_mark.line) + 1


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


def _scalar(node: ScalarNode) -> Any:
    """The core schema of YAML 1.2 (10.3.2); what is quoted is a string."""
    text = str(node.value)
    tag = str(node.tag or "")
    if node.style or tag.endswith(":str"):
        return _paired(text)
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if len(text) <= 40 and _INT.fullmatch(text):
        base = 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10
        whole = WrittenInt(text, base)
        whole.text = text
        return whole
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        number = WrittenFloat(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        number.text = text
        return number
    return text


def _paired(text: str) -> str:
    r"""JSON writes what is beyond the basic plane as two \u escapes; YAML leaves them apart."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _broken(file: str, line: int, text: str) -> Problem:
    return Problem(Severity.REFUSED, Reason.SYNTAX, f"file {Path(file).name}", f"{text}.", Place(file, line))


def _empty(path: Path) -> Problem:
    text = f"holds no file that ends in {', '.join(SUFFIXES)}: nothing is configured by it."
    return Problem(Severity.NOTICE, Reason.NO_EFFECT, f"directory {path.name}", text, Place(str(path)))
