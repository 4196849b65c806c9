"""docs/cli.md, made of the commands themselves: `make docs`, or `python -m vrfbgp.manual docs/cli.md`.

The page's own words stand before the first mark; below it is what the commands say of themselves.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from typer.main import get_command

from vrfbgp import cli

MARK = "<!-- commands -->\n"
EXITS = "Exit statuses"
VALUES: dict[type, str] = {Path: "PATH", int: "NUMBER", float: "NUMBER"}


def rewritten(page: str) -> str:
    """The page with the commands as they are now. Raises LookupError if it has no mark."""
    before, mark, _ = page.partition(MARK)
    if not mark:
        raise LookupError(f"the page has no line {MARK.strip()}: put one where the commands are to stand")
    return before + mark + "\n".join(_lines())


def _lines() -> Iterator[str]:
    group: Any = get_command(cli.app)
    yield f"\n{_exit_statuses()}\n"
    yield "| command | |\n|---|---|"
    for name, command in group.commands.items():
        yield f"| [`{name}`](#vrfbgp-{name}) | {_cell(_paragraphs(command)[0])} |"
    for name, command in group.commands.items():
        yield f"\n## vrfbgp {name}\n"
        yield f"```\n{_synopsis(name, command)}\n```\n"
        yield "\n\n".join(_paragraphs(command))
        yield from _table(name, command, "argument")
        yield from _table(name, command, "option")
    yield ""


def _exit_statuses() -> str:
    """The paragraph of the command line's own docstring."""
    found = re.search(rf"^{EXITS}:.*?(?=\n\n|\Z)", inspect.getdoc(cli) or "", re.DOTALL | re.MULTILINE)
    assert found is not None
    return " ".join(found[0].split())


def _paragraphs(command: Any) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(command.help).split("\n\n")]


def _synopsis(name: str, command: Any) -> str:
    words = ["vrfbgp", name]
    options = [one for one in command.params if one.param_type_name == "option"]
    if any(not one.required for one in options):
        words.append("[OPTIONS]")
    words += [f"{one.opts[0]} {_value(name, one)}" for one in options if one.required]
    for one in command.params:
        if one.param_type_name == "argument":
            shown = _value(name, one)
            words.append(shown if one.required else f"[{shown}]")
    return " ".join(words)


def _table(name: str, command: Any, what: str) -> Iterator[str]:
    params = [one for one in command.params if one.param_type_name == what]
    if not params:
        return
    yield f"\n| {what} | environment | default | meaning |\n|---|---|---|---|"
    for one in params:
        value = _value(name, one)
        word = value if what == "argument" else f"{', '.join(one.opts)} {value}".rstrip()
        envvar = f"`{one.envvar}`" if one.envvar else ""
        yield f"| `{_cell(word)}` | {envvar} | {_default(one)} | {_cell(one.help or '')} |"


def _value(command: str, param: Any) -> str:
    """The word for what is given there; empty for an option that takes nothing."""
    hint = _hints(command)[param.name]
    several = any(get_origin(part) is list for part in (hint, *get_args(hint)))
    kinds = {inner for part in (hint, *get_args(hint)) for inner in (part, *get_args(part))}
    if bool in kinds:
        return ""
    metavar = re.sub(r"[\[\].]", "", param.metavar or "")
    word = metavar or next((word for kind, word in VALUES.items() if kind in kinds), "TEXT")
    if param.param_type_name == "argument" and not metavar:
        word = param.name.upper().removesuffix("S" if several else "")
    return word + "…" * several


@functools.cache
def _hints(command: str) -> dict[str, Any]:
    """The types of a command's parameters; not all versions of typer tell what is a number, or a path."""
    for registered in cli.app.registered_commands:
        function = registered.callback
        if function is not None and (registered.name or function.__name__) == command:
            return get_type_hints(function)
    raise LookupError(f"there is no command {command}")


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if isinstance(shown := getattr(param, "show_default", None), str):
        return shown
    if param.default is None or param.default is False or param.default in ((), []):
        return ""
    return f"`{param.default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """`python -m vrfbgp.manual docs/cli.md`."""
    if len(sys.argv) != 2:
        sys.exit("give the page that is written: docs/cli.md")
    page = Path(sys.argv[1])
    page.write_text(rewritten(page.read_text()))


if __name__ == "__main__":
    main()
