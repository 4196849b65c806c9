"""Import policy: which paths are taken into the Adj-RIB-In's accepted part (RFC 4271 9.1.1).

Two questions, asked once per UPDATE and once per prefix, so that the common "yes" costs little.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from vrfbgp.model import Attributes, Family, Nlri, Path
from vrfbgp.rib.paths import UnreadPath
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.unread import Unread

IPV4_MARTIANS = frozenset({0, 127, *range(224, 256)})
"""First octets: "this network", loopback, multicast and reserved (RFC 6890 2.2.2)."""


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """What one peer may announce."""

    local_as: int
    router_id: IPv4Address
    allowed_local_as: int = 0
    _local_as_octets: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_local_as_octets", self.local_as.to_bytes(4, "big"))

    def refuses_path(self, path: Path) -> Refusal | None:
        """As `refuses`, of the attributes of a path."""
        if isinstance(path, UnreadPath) and not path.mentions(self._local_as_octets):
            return None
        return self.refuses(path.attributes)

    def refuses(self, attributes: Attributes) -> Refusal | None:
        """A reason against every prefix of an UPDATE with these attributes."""
        if isinstance(attributes, Unread) and not attributes.mentions(self._local_as_octets):
            return None  # nor do ordinary attributes have an ORIGINATOR_ID
        if attributes.originator_id == self.router_id:
            return Refusal.OWN_ORIGINATOR
        seen = sum(asns.count(self.local_as) for _, asns in attributes.as_path)
        return Refusal.OWN_AS if seen > self.allowed_local_as else None

    def refuses_prefix(self, family: Family, nlri: Nlri) -> Refusal | None:
        """A reason against one prefix."""
        return Refusal.MARTIAN if is_martian(family, nlri) else None


def is_martian(family: Family, nlri: Nlri) -> bool:
    """Whether no unicast packet may be sent there; a default route is none, nor are its halves."""
    length = nlri[0]
    if length == 0 or (length < 8 and nlri[1] == 0):
        return False
    first = nlri[1]
    if family is Family.IPV4:
        return first in IPV4_MARTIANS or (length >= 16 and nlri[1:3] == b"\xa9\xfe")
    if first == 0:
        # ::/8 holds the unspecified, the loopback and the mapped addresses (RFC 4291 2.5); but 64:ff9b::/96
        # is a translator's prefix (RFC 6052) and may be routed.
        return nlri[1:5] != b"\0\x64\xff\x9b"
    return first == 0xFF or (first == 0xFE and len(nlri) > 2 and nlri[2] & 0xC0 == 0x80)
