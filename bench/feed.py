"""What the routers announce: UPDATE messages (RFC 4271) made from a seed, so that each run has the same
input.

All prefixes are one endless sequence without repetitions; a feed takes a stretch of it. Lengths are spread as
in the Internet's table (60 % of them /24), none longer, and none among the special-purpose addresses. A feed
is a file of whole messages, kept in the cache under a name that says all that it was made from.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EDITION = 4
"""Part of every name in the cache; to be raised when anything in this module changes the octets."""
SEED = 7
LENGTHS = (24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12)
WEIGHTS = (600, 100, 110, 55, 45, 30, 15, 10, 20, 5, 5, 3, 2)
NOT_ANNOUNCED = (10, 100, 127, 169, 172, 192, 198, 203)
"""First octets with special-purpose addresses in them (RFC 6890), which no router should announce."""
ASES = (*range(1, 23_456), *range(131_072, 400_000))
"""None for private use, and so never the node's own, which would be a loop."""
MESSAGE_LIMIT = 4096
"""RFC 4271, 4.1"""
END_OF_RIB = b"\xff" * 16 + b"\x00\x17\x02" + bytes(4)
"""RFC 4724, 2: an UPDATE with nothing in it."""

Prefix = tuple[int, int]
"""Address as a number, and length."""


@dataclass(frozen=True)
class Feed:
    """A router's announcements. `start` and `count` choose the stretch of the sequence of prefixes."""

    start: int
    count: int
    next_hop: str
    asn: int
    """The router's own AS, first in each AS path."""
    mean: float = 5.5
    """Prefixes in an UPDATE on average: 1 and whole numbers from 100 on are exact, others are spread."""
    prepended: int = 0
    """How often the AS stands in the path beyond the first time: what makes these paths second best."""

    @property
    def name(self) -> str:
        """The file's name in the cache."""
        parts = (EDITION, SEED, self.start, self.count, self.next_hop, self.asn, self.mean, self.prepended)
        return "feed-" + "-".join(map(str, parts)) + ".bin"


class Cache:
    """Where feeds are kept; what is missing is made."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._prefixes: list[Prefix] = []

    def prefixes(self, start: int, count: int) -> Sequence[Prefix]:
        """A stretch of the sequence."""
        needed = start + count
        if len(self._prefixes) < needed:
            octets = self._file(f"prefixes-{EDITION}-{SEED}-{needed}.bin", lambda: packed(needed))
            self._prefixes = list(struct.iter_unpack("=IB", octets.read_bytes()))
        return self._prefixes[start:needed]

    def packed_prefixes(self, start: int, count: int) -> Path:
        """The same as a file: 5 octets each, `=IB`."""
        return self._file(
            f"stretch-{EDITION}-{SEED}-{start}-{count}.bin",
            lambda: b"".join(struct.pack("=IB", *prefix) for prefix in self.prefixes(start, count)),
        )

    def feed(self, feed: Feed) -> Path:
        """A file with all messages of a feed, End-of-RIB last."""
        return self._file(
            feed.name, lambda: b"".join(updates(feed, self.prefixes(feed.start, feed.count))) + END_OF_RIB
        )

    def withdrawal(self, start: int, count: int) -> Path:
        """A file that withdraws a stretch, each prefix by an UPDATE of its own."""
        return self._file(
            f"withdrawal-{EDITION}-{SEED}-{start}-{count}.bin",
            lambda: b"".join(map(withdrawn, self.prefixes(start, count))),
        )

    def churn(self, feed: Feed) -> Path:
        """A file that announces a feed and withdraws the sequence from its beginning, in turn."""
        return self._file(
            f"churn-{feed.name}",
            lambda: b"".join(
                announced + withdrawn(gone)
                for announced, gone in zip(
                    updates(feed, self.prefixes(feed.start, feed.count)),
                    self.prefixes(0, feed.count),
                    strict=True,
                )
            ),
        )

    def _file(self, name: str, make) -> Path:  # type: ignore[no-untyped-def]
        path = self.directory / name
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{name}.new")
            fresh.write_bytes(make())
            fresh.replace(path)
        return path


def packed(count: int) -> bytes:
    """The first `count` prefixes of the sequence."""
    chance = random.Random(SEED)
    seen: set[Prefix] = set()
    found: list[bytes] = []
    while len(found) < count:
        for length in chance.choices(LENGTHS, WEIGHTS, k=1000):
            address = chance.randrange(1 << 24, 224 << 24)
            prefix = (address & ~((1 << (32 - length)) - 1), length)
            if address >> 24 not in NOT_ANNOUNCED and prefix not in seen:
                seen.add(prefix)
                found.append(struct.pack("=IB", *prefix))
    return b"".join(found[:count])


def updates(feed: Feed, prefixes: Sequence[Prefix]) -> Iterator[bytes]:
    """The messages of a feed, but for End-of-RIB."""
    chance = random.Random(f"{SEED} {feed.start}")
    at = 0
    while at < len(prefixes):
        exact = feed.mean == 1 or feed.mean >= 100
        wanted = int(feed.mean) if exact else int(chance.expovariate(1 / feed.mean)) + 1
        attributes = path_attributes(feed, chance)
        room = MESSAGE_LIMIT - 23 - len(attributes)
        reach = b""
        for address, length in prefixes[at : at + wanted]:
            nlri = encoded((address, length))
            if len(reach) + len(nlri) > room:
                break
            reach += nlri
            at += 1
        body = struct.pack("!HH", 0, len(attributes)) + attributes + reach
        yield update(body)


def update(body: bytes) -> bytes:
    """An UPDATE with its header (RFC 4271, 4.1)."""
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body


def withdrawn(prefix: Prefix) -> bytes:
    """An UPDATE that withdraws just this prefix (RFC 4271, 4.3)."""
    nlri = encoded(prefix)
    return update(struct.pack("!H", len(nlri)) + nlri + bytes(2))


def encoded(prefix: Prefix) -> bytes:
    """A prefix on the wire (RFC 4271, 4.3)."""
    address, length = prefix
    return bytes([length]) + address.to_bytes(4, "big")[: (length + 7) // 8]


def path_attributes(feed: Feed, chance: random.Random) -> bytes:
    """ORIGIN, AS_PATH (of 3 to 7 AS), NEXT_HOP; MED in 30 %, 1 to 5 COMMUNITIES in half of them."""
    others = [chance.choice(ASES) for _ in range(chance.choice([2, 3, 3, 4, 4, 5, 6]))]
    path = [feed.asn] * (1 + feed.prepended) + others
    segment = bytes([2, len(path)]) + struct.pack(f"!{len(path)}I", *path)
    octets = b"\x40\x01\x01\x00\x40\x02" + bytes([len(segment)]) + segment
    octets += b"\x40\x03\x04" + bytes(map(int, feed.next_hop.split(".")))
    if chance.random() < 0.3:
        octets += b"\x80\x04\x04" + struct.pack("!I", chance.randrange(200))
    if chance.random() < 0.5:
        count = chance.randrange(1, 6)
        values = [chance.getrandbits(32) for _ in range(count)]
        octets += b"\xc0\x08" + bytes([4 * count]) + struct.pack(f"!{count}I", *values)
    return octets
