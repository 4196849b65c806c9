"""What each field means, in words: the docstrings below the fields, read from the models' source when asked.

They are for documents and editors. The daemon never asks, and so never pays for them.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache

from pydantic import BaseModel

_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """By the field's name in Python, as Markdown on one line; fields that say nothing are not in it."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            found |= _of_module(cls.__module__).get(cls.__name__, {})
    return {name: text for name, text in found.items() if name in model.model_fields}


def plain(text: str) -> str:
    """Without links, which lead nowhere outside of the document."""
    return _LINK.sub(r"\1", text)


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    try:
        source = inspect.getsource(sys.modules[name])
    except OSError:  # installed without sources
        return {}
    nodes = ast.parse(source).body
    return {node.name: dict(_documented(node)) for node in nodes if isinstance(node, ast.ClassDef)}


def _documented(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in zip(node.body, node.body[1:], strict=False):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
