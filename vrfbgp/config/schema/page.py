"""The tables of docs/configuration.md, written from the models: `make docs`, or with two files by hand.

A table stands between `<!-- fields: KIND APIVERSION [PATH] -->` and `<!-- end -->`; everything else in the
page is left as it is. With PATH, it is the table of what that field holds. What an edit does to sessions is
the word that docs/reload.md has for the field, or for the one around it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vrfbgp.config.schema.editor import definition_of, json_schema
from vrfbgp.config.schema.effect import Effect, effect_of, inner_model, is_list, is_ours, unset, written
from vrfbgp.config.schema.forms import Form
from vrfbgp.config.schema.kinds import Kind, find
from vrfbgp.config.schema.meaning import meanings

_TABLE = re.compile(r"(<!-- fields: (\S+) (\S+)(?: (\S+))? -->\n).*?(<!-- end -->)", re.DOTALL)
_EDIT = re.compile(r"^\| `([^`]+)` \| (\w+) \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """A field that has an effect. `path` is that of the whole object, `[]` stands for any item of a list."""

    path: str
    name: str
    field: FieldInfo
    model: type[BaseModel]


def rows(kind: Kind, below: str = "") -> Iterator[Row]:
    """The fields of a kind that have an effect, in order of declaration; or those below a path.

    What several fields of one model hold is not among them: a path gets it.
    """
    if below:
        for row in _rows(kind.model, "", shared=True):
            if row.path.startswith(f"{below}."):
                yield row
        return
    yield from _rows(kind.model, "", shared=False)


def rewritten(page: str, reload: str) -> str:
    """The page with its tables as the models have them now, given the text of docs/reload.md.

    Raises LookupError if a marker names no kind, or if docs/reload.md has no word for a field.
    """
    definitions: dict[str, Form] = json_schema()["$defs"]
    edits = {
        section.partition("\n")[0].strip(): dict(_EDIT.findall(section))
        for section in re.split(r"^### ", reload, flags=re.MULTILINE)[1:]
    }

    def table(match: re.Match[str]) -> str:
        begin, name, version, below, end = match.groups()
        kind = find(version, name)
        if kind is None:
            raise LookupError(f"there is no {name} in {version}: correct the marker in the page")
        lines = [
            f"| field | type | default | [sessions](reload.md#{name.lower()}) | meaning |",
            "|---|---|---|---|---|",
        ]
        for row in rows(kind, below or ""):
            shown = row.path.removeprefix(f"{below}." if below else "spec." if kind.spec_only else "")
            cells = (
                f"`{shown}`" + " ◆" * is_ours(row.field),
                _type(definitions[definition_of(row.model, definitions)]["properties"][_alias(row)]),
                _default(row.field),
                _around(edits[name], row.path),
                meanings(row.model).get(row.name, ""),
            )
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        return "\n".join((begin, *lines, "", end))

    return _TABLE.sub(table, page)


def _rows(model: type[BaseModel], before: str, shared: bool) -> Iterator[Row]:
    often = Counter(inner_model(field) for field in model.model_fields.values())
    for name, field in model.model_fields.items():
        path = before + (field.alias or name)
        inner = inner_model(field)
        acted = effect_of(field) is not Effect.IGNORED
        if acted:
            yield Row(path, name, field, model)
        if inner is not None and (acted or not before) and (shared or often[inner] == 1):
            yield from _rows(inner, f"{path}[]." if is_list(field) else f"{path}.", shared)


def _alias(row: Row) -> str:
    return row.field.alias or row.name


def _type(form: Form) -> str:
    forms = [one for one in form.get("anyOf", (form,)) if one.get("type") != "null"]
    form = forms[0]
    types = form.get("type", "")
    if "enum" in form:
        return ", ".join(f"`{word}`" for word in form["enum"] if word)
    if "$ref" in form:
        return "mapping"
    if "items" in form:
        return f"list of {_plural(_type(form['items']))}"
    title: str = form.get("title", "string" if "string" in types else "mapping")
    if "minimum" in form and "integer" in types:
        title += f", {form['minimum']}–{form['maximum']}"
    return title


def _plural(word: str) -> str:
    if word.endswith("y"):
        return f"{word.removesuffix('y')}ies"
    return word if word.startswith("`") else f"{word}s"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if words := unset(field):
        return words
    value = written(field)
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return "none" if value is None else f"`{value}`" if isinstance(value, str) else str(value)


def _around(edits: dict[str, str], path: str) -> str:
    found = path
    while found and found not in edits:
        found = re.sub(r"(\[\]|\.?[^.\[\]]+)$", "", found)
    if not found:
        raise LookupError(f"docs/reload.md has no row for {path}: add one")
    return edits[found]


def main() -> None:
    """`python -m vrfbgp.config.schema.page docs/configuration.md docs/reload.md`."""
    if len(sys.argv) != 3:
        sys.exit("give two files: the page whose tables are written, and the one on what an edit does")
    page, reload = map(Path, sys.argv[1:])
    page.write_text(rewritten(page.read_text(), reload.read_text()))


if __name__ == "__main__":
    main()
