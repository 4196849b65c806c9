"""What one UPDATE comes to: the words between the decoder and the Adj-RIB-In.

They are tuples, since a full table makes hundreds of thousands of each in a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vrfbgp.model import Attributes, Family, Nlri
from vrfbgp.rib.errors import Fault


class Unsuspected(list[Nlri]):
    """IPv4 prefixes of which the decoder knows, by the way it split them, that none is a martian."""

    __slots__ = ()


class Prefixes(NamedTuple):
    """Prefixes of one field, in wire order.

    `path_ids` is empty unless the peer sends path identifiers in this family (RFC 7911); then it has the
    identifier of each prefix, in the same order.
    """

    family: Family
    nlri: Sequence[Nlri]
    path_ids: Sequence[int] = ()


class Announced(NamedTuple):
    """Prefixes that the peer reaches with these attributes; equal attributes are mostly one object."""

    family: Family
    nlri: Sequence[Nlri]
    attributes: Attributes
    path_ids: Sequence[int] = ()
    """As in `Prefixes`."""


class Update(NamedTuple):
    """One UPDATE, or a run of them that are alike.

    Apply `withdrawn` first: a prefix in both is announced (RFC 4271 4.3).
    """

    withdrawn: tuple[Prefixes, ...] = ()
    """With what was announced, if the message is treated as withdraw."""
    announced: tuple[Announced, ...] = ()
    end_of_rib: Family | None = None
    """RFC 4724 2; such a message has nothing else."""
    faults: tuple[Fault, ...] = ()
    messages: int = 1
    """How many messages it stands for: of several, each has one prefix, in the order of their fields."""
