"""Keeps out of the speakers' memory what ExaBGP imports and a speaker never runs.

Its parser, its API and asyncio behind that, and the kinds of routes and attributes that are nobody's here:
7 of the 21 MB that the process that forks had.

In the place of such a module stands one in which whatever is imported from it is an empty class. What is left
out is as much a matter of the exact version as what is replaced (`entry`).
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_UPDATE = "exabgp.bgp.message.update"
SPARED = (
    "exabgp.configuration.core",
    "exabgp.configuration.neighbor",
    "exabgp.reactor.api",
    "exabgp.reactor.asynchronous",
    f"{_UPDATE}.attribute.aigp",
    f"{_UPDATE}.attribute.bgpls",
    f"{_UPDATE}.attribute.bgpls.linkstate",
    f"{_UPDATE}.attribute.pmsi",
    f"{_UPDATE}.attribute.sr",
    f"{_UPDATE}.attribute.sr.prefixsid",
    f"{_UPDATE}.nlri.bgpls",
    f"{_UPDATE}.nlri.evpn",
    f"{_UPDATE}.nlri.flow",
    f"{_UPDATE}.nlri.mup",
    f"{_UPDATE}.nlri.mvpn",
    f"{_UPDATE}.nlri.rtc",
    f"{_UPDATE}.nlri.vpls",
)
"""Of a package only what its `__init__` does is left out; its modules are found as ever."""


class StandIn(ModuleType):
    """A module that has whatever is imported from it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def spare() -> None:
    """To be called before any of them is imported."""
    package, *_ = SPARED[0].split(".")
    spec = find_spec(package)
    [root] = (spec and spec.submodule_search_locations) or [""]
    for name in SPARED:
        module = StandIn(name)
        place = Path(root, *name.split(".")[1:])
        if place.is_dir():
            module.__path__ = [str(place)]
        sys.modules[name] = module
