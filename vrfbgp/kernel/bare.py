"""Imports single modules of a package, without all that its `__init__` brings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec


@contextmanager
def bare(package: str) -> Iterator[None]:
    """Within, the package is but the place of its modules; they are the importer's own, and nobody else's.

    It can be imported as ever afterwards. Nothing changes where it was before, or is not installed.
    """
    spec = find_spec(package)
    if spec is None or package in sys.modules:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]
