"""What tells one neighbor of a speaker from another: its port, too.

ExaBGP knows a neighbor by what its `name` says, the peer's address and more, but not the port that is called;
by it routes are kept, and found again by commands. A host may have several BGP speakers.
"""

from __future__ import annotations

from typing import Any

from exabgp.bgp.neighbor import Neighbor

_name = Neighbor.name


def name(neighbor: Any) -> str:
    """ExaBGP's name, with the port at the address: `neighbor 192.0.2.1@179 local-ip …`."""
    words, at, rest = str(_name(neighbor)).partition(" local-ip ")
    return f"{words}@{neighbor['connect']}{at}{rest}"


def tell_ports_apart() -> None:
    """Have ExaBGP use it."""
    Neighbor.name = name
