"""The paths of one session: one object for one object of attributes, so that most comparisons end at `is`.

A full table has a path for every UPDATE, and nearly all of them have ordinary attributes, that stay octets
(`unread.py`). Such a path is one object instead of two: the octets, and what it has in common with the others
of its session that lead the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vrfbgp.model import Attributes, IPAddress, Path, PeerId
from vrfbgp.rib.unread import Unread

if TYPE_CHECKING:
    _Path = Path
else:
    _Path = object
    """The empty slots of `Path` would be two thirds of what an `UnreadPath` takes up."""

_REMEMBERED = 8192
_WAYS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """What the paths of a session with one next hop have in common."""

    peer: PeerId
    internal: bool
    router_id: int
    next_hop: IPAddress


class UnreadPath(_Path):
    """A `Path` in every respect but that its attributes are made when they are looked at."""

    __slots__ = ("block", "way")
    way: Way
    block: bytes

    def __init__(self, way: Way, block: bytes) -> None:
        self.way = way
        self.block = block

    @property
    def peer(self) -> PeerId:
        return self.way.peer

    @property
    def internal(self) -> bool:
        return self.way.internal

    @property
    def router_id(self) -> int:
        return self.way.router_id

    @property
    def next_hop(self) -> IPAddress:
        return self.way.next_hop

    @property
    def attributes(self) -> Attributes:
        return Unread(self.block, self.way.next_hop)

    def mentions(self, asn: bytes) -> bool:
        """As `Unread.mentions`."""
        return self.block.find(asn) >= 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UnreadPath | Path):
            return NotImplemented
        if isinstance(other, UnreadPath) and self.way is other.way and self.block == other.block:
            return True
        own = self.attributes, self.peer, self.internal, self.router_id
        return own == (other.attributes, other.peer, other.internal, other.router_id)

    def __hash__(self) -> int:
        return hash(Path(self.peer, self.attributes, self.internal, self.router_id))

    def __repr__(self) -> str:
        return repr(Path(self.peer, self.attributes, self.internal, self.router_id))


class Paths:
    """Makes the paths of a session, from what was negotiated."""

    def __init__(self, peer: PeerId, internal: bool, router_id: int) -> None:
        self._of = peer, internal, router_id
        self._known: dict[int, tuple[Attributes, Path]] = {}
        """By the identity of the attributes, which are kept with it so that it stays theirs."""
        self._ways: dict[int, Way] = {}
        """By the identity of the next hop."""

    def path(self, attributes: Attributes) -> Path:
        """The path with these attributes; for the same object mostly the same one as before."""
        known = self._known.get(id(attributes))
        if known is not None:
            return known[1]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        peer, internal, router_id = self._of
        path: Path
        if isinstance(attributes, Unread):
            next_hop = attributes.next_hop
            way = self._ways.get(id(next_hop))
            if way is None:
                if len(self._ways) >= _WAYS:
                    self._ways.clear()
                way = self._ways[id(next_hop)] = Way(peer, internal, router_id, next_hop)
            path = UnreadPath(way, attributes.block)
        else:
            path = Path(peer, attributes, internal, router_id)
        self._known[id(attributes)] = attributes, path
        return path
