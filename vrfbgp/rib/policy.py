"""Import policy: which paths are taken into the Adj-RIB-In's accepted part (RFC 4271 9.1.1).

What holds for all prefixes of an UPDATE is asked once, and of the prefixes only those that a look at their
first octet can't clear, so that the common "yes" costs little. Guards come first, then the user's rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from vrfbgp.filters import FilterRule, Operator, PrefixMatch, Rules
from vrfbgp.model import Attributes, Family, IPNetwork, Nlri, Path
from vrfbgp.rib.paths import UnreadPath
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.route_filter import RouteFilter, Subject, Test, changed, first, prefix_test
from vrfbgp.rib.table import UNLIMITED
from vrfbgp.rib.unread import Unread
from vrfbgp.rib.update import Unsuspected

IPV4_MARTIANS = frozenset({0, 127, *range(224, 256)})
"""First octets: "this network", loopback, multicast and reserved (RFC 6890 2.2.2)."""
_FIRST_OCTET = itemgetter(slice(1, 2))
"""Of a prefix; empty for a default route."""
FROM_PEER = Subject(internal=False, learned=True)


@dataclass(frozen=True, slots=True)
class Altered(Path):
    """A path as a rule of the user's changed it; `received` is how it came, for when the rules change."""

    received: Path
    rule: str


class Refused(NamedTuple):
    """A path that is not used."""

    path: Path
    reason: Refusal
    rule: str = ""
    """The user's rule, if it was one."""


class Judged(NamedTuple):
    """Prefixes that are treated alike: taken with this path, or refused."""

    nlris: list[Nlri]
    path: Path
    reason: Refusal | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """What one peer may announce."""

    local_as: int
    router_id: IPv4Address
    allowed_local_as: int = 0
    rules_v4: Rules = ()
    rules_v6: Rules = ()
    subject: Subject = FROM_PEER
    refused_ranges: tuple[IPNetwork, ...] = ()
    """What is within one of these is refused: the cluster itself."""
    default_route: bool = True
    """A default route may be learned."""
    most: int = UNLIMITED
    """Prefixes that may be accepted, in each family."""
    _local_as_octets: bytes = field(init=False, repr=False, compare=False)
    _ranges: dict[Family, list[Test]] = field(init=False, repr=False, compare=False)
    _suspects: dict[Family, frozenset[bytes]] = field(init=False, repr=False, compare=False)
    """First octets of prefixes that are to be looked at."""
    _filters: dict[Family, RouteFilter] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tests: dict[Family, list[Test]] = {family: [] for family in Family}
        suspects: dict[Family, set[bytes]] = {family: set() for family in Family}
        for family in Family:
            suspects[family].update(() if self.default_route else (b"",))
        for network in self.refused_ranges:
            within = PrefixMatch(network, Operator.IN, 0, network.max_prefixlen)
            tests[Family.of(network)].append(prefix_test(within))
            suspects[Family.of(network)].update(_first_octets(network))
        rules = {Family.IPV4: self.rules_v4, Family.IPV6: self.rules_v6}
        filters = {family: RouteFilter(rules[family], self.subject) for family in Family}
        for name, value in (
            ("_local_as_octets", self.local_as.to_bytes(4, "big")),
            ("_ranges", tests),
            ("_suspects", {family: frozenset(octets) for family, octets in suspects.items()}),
            ("_filters", filters),
        ):
            object.__setattr__(self, name, value)

    def clears(self, family: Family, nlris: list[Nlri], path: Path) -> bool:
        """Whether all is taken as it is, by a look that costs little; all else is to be judged."""
        return (
            isinstance(nlris, Unsuspected)
            and not self._filters[family]
            and self._suspects[family].isdisjoint(map(_FIRST_OCTET, nlris))
            and self.refuses_path(path) is None
        )

    def judge(self, family: Family, nlris: list[Nlri], path: Path) -> list[Judged]:
        """What becomes of prefixes that are announced with a path, each of them in one of the answers."""
        reason = self.refuses_path(path)
        if reason is not None:
            return [Judged(nlris, path, reason)]
        runs = groupby(nlris, lambda nlri: self.refuses_prefix(family, nlri))
        guarded = [Judged(list(run), path, reason) for reason, run in runs]
        if not self._filters[family]:
            return guarded
        found: list[Judged] = []
        for judged in guarded:
            found += [judged] if judged.reason else self._filter(family, judged.nlris, path)
        return found

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
        if is_martian(family, nlri):
            return Refusal.MARTIAN
        if not nlri[0]:
            return None if self.default_route else Refusal.DEFAULT_ROUTE
        return Refusal.CLUSTER_PREFIX if any(test(nlri) for test in self._ranges[family]) else None

    def _filter(self, family: Family, nlris: list[Nlri], path: Path) -> Iterable[Judged]:
        rules = self._filters[family].rules_for(path.attributes)
        if not rules:
            return [Judged(nlris, path)]
        if rules[0][1] is None:
            return [_by(rules[0][0], nlris, path)]
        runs = groupby(nlris, lambda nlri: first(rules, nlri))
        return [_by(rule, list(run), path) for rule, run in runs]


def received(path: Path) -> Path:
    """The path as the peer announced it."""
    return path.received if isinstance(path, Altered) else path


def _by(rule: FilterRule | None, nlris: list[Nlri], path: Path) -> Judged:
    if rule is None:
        return Judged(nlris, path)
    if not rule.accept:
        return Judged(nlris, path, Refusal.FILTER, rule.name)
    if not rule.operations:
        return Judged(nlris, path, None, rule.name)
    attributes = changed(path.attributes, rule.operations)
    altered = Altered(path.peer, attributes, path.internal, path.router_id, path, rule.name)
    return Judged(nlris, altered, None, rule.name)


def _first_octets(network: IPNetwork) -> Iterable[bytes]:
    first_octet = network.network_address.packed[0]
    return (bytes((first_octet + n,)) for n in range(1 << max(0, 8 - network.prefixlen)))


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
