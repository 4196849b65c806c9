"""How this package starts modules of its own as processes.

What only one task needs, a process of its own takes with it when that is done.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

PACKAGE = str(Path(__file__).parents[1])


def program(module: str) -> tuple[str, ...]:
    """The command line of a module, by the Python that runs this; needs the `environment`."""
    return (sys.executable, "-P", "-m", module)


def environment() -> dict[str, str]:
    """Ours, in which a Python finds this package, whatever directory it starts in."""
    others = [
        path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", PACKAGE)
    ]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGE, *others])}


def become(module: str, *words: str) -> NoReturn:
    """Go on as that module, in this process, with nothing left of what was loaded so far (execve(2))."""
    command = [*program(module), *words]
    os.execve(command[0], command, environment())
