"""What netfilter does to source addresses of packets that leave: nat chains of hook postrouting, as values.

Rules are as nf_tables holds them (linux/netfilter/nf_tables.h): expressions one after the other, which load
into registers, compare, and end in a verdict. What iptables-nft writes is the same, and its extensions are
read as far as they are understood. Nothing here decides anything; `masquerade` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple


class Field(Enum):
    """What is loaded into a register, in the words of nft(8)."""

    NETWORK_HEADER = "ip"
    SOURCE = "ip saddr"
    DESTINATION = "ip daddr"
    DEVICE_INDEX = "oif"
    DEVICE_NAME = "oifname"
    MARK = "mark"
    FAMILY = "nfproto"
    CT_STATE = "ct state"
    CT_STATUS = "ct status"
    SOURCE_TYPE = "fib saddr type"
    DESTINATION_TYPE = "fib daddr type"
    OTHER = "something else"


class Compared(IntEnum):
    """enum nft_cmp_ops: octets as memcmp(3) orders them."""

    EQ = 0
    NEQ = 1
    LT = 2
    LTE = 3
    GT = 4
    GTE = 5


class Verdict(IntEnum):
    """enum nft_verdicts, and of linux/netfilter.h two; the others end a packet's way as DROP does."""

    DROP = 0
    ACCEPT = 1
    CONTINUE = -1
    BREAK = -2
    JUMP = -3
    GOTO = -4
    RETURN = -5


@dataclass(frozen=True, slots=True)
class Load:
    """A field, or octets of the network header from `offset` on, into a register. `word` is for people."""

    register: int
    field: Field
    length: int = 0
    offset: int = 0
    word: str = ""


@dataclass(frozen=True, slots=True)
class Mask:
    """`register = source & mask ^ xor`."""

    source: int
    register: int
    mask: bytes
    xor: bytes


@dataclass(frozen=True, slots=True)
class Compare:
    """The rule goes on if the register compares so with the value."""

    register: int
    how: Compared
    value: bytes


@dataclass(frozen=True, slots=True)
class Between:
    """The rule goes on if the register is from `low` to `high`, both included; or is not."""

    register: int
    low: bytes
    high: bytes
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """The rule goes on if the set holds the register, or does not; of a verdict map, its verdict counts."""

    register: int
    set: str
    negated: bool = False
    verdicts: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition apart from registers; None: it is not understood."""

    word: str
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class MarkSet:
    """The packet's mark is something else from here on."""


@dataclass(frozen=True, slots=True)
class Decide:
    """The packet goes where the verdict says: to `chain`, of JUMP and GOTO."""

    verdict: Verdict
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Translate:
    """The source address becomes another; `word` is what it is called (masquerade, snat)."""

    word: str


IPSET = "ipset "
"""Before the index of a set that is not nf_tables' own, in place of a name."""

Expression = Load | Mask | Compare | Between | Lookup | Asked | MarkSet | Decide | Translate
Rule = tuple[Expression, ...]


class Element(NamedTuple):
    """Keys of a set, both included, and where they lead, in a verdict map."""

    low: bytes
    high: bytes
    verdict: Decide | None = None


class Name(NamedTuple):
    """A chain or a set; `family` is `ip`, `ip6` or `inet`."""

    family: str
    table: str
    name: str


@dataclass(frozen=True, slots=True)
class Nat:
    """All that decides on source addresses of packets that leave; what could not be read is not in it."""

    bases: tuple[Name, ...] = ()
    """The chains that netfilter itself calls, in their order."""
    chains: Mapping[Name, tuple[Rule, ...]] = field(default_factory=dict)
    sets: Mapping[Name, tuple[Element, ...]] = field(default_factory=dict)
