"""The paths of one session: one object for one object of attributes, so that most comparisons end at `is`."""

from __future__ import annotations

from vrfbgp.model import Attributes, Path, PeerId

_REMEMBERED = 8192
_new = object.__new__
_set_peer, _set_attributes, _set_internal, _set_router_id = (
    Path.__dict__[slot].__set__ for slot in ("peer", "attributes", "internal", "router_id")
)


class Paths:
    """Makes the paths of a session, from what was negotiated."""

    def __init__(self, peer: PeerId, internal: bool, router_id: int) -> None:
        self._of = peer, internal, router_id
        self._known: dict[int, Path] = {}
        """By the identity of the attributes, which stays theirs while the path keeps them."""

    def path(self, attributes: Attributes) -> Path:
        """The path with these attributes; for the same object mostly the same one as before."""
        path = self._known.get(id(attributes))
        if path is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            peer, internal, router_id = self._of
            # a third of the time of Path(...), which looks up each slot of a frozen value by its name
            path = self._known[id(attributes)] = _new(Path)
            _set_peer(path, peer)
            _set_attributes(path, attributes)
            _set_internal(path, internal)
            _set_router_id(path, router_id)
        return path
