"""What can be wrong with an UPDATE, and what follows from it (RFC 4271 6.3, RFC 7606 2).

A `Fault` costs an attribute or the message's routes, and is reported beside what was decoded. A
`SessionError` costs the session. Nothing of this is ever raised out of the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Treatment(IntEnum):
    """The approaches of RFC 7606 2, the stronger the greater; AFI/SAFI disable is not used."""

    ATTRIBUTE_DISCARD = 1
    TREAT_AS_WITHDRAW = 2
    SESSION_RESET = 3


class Subcode(IntEnum):
    """Subcodes of an UPDATE Message Error NOTIFICATION, code 3 (RFC 4271 4.5)."""

    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN = 2
    MISSING_WELL_KNOWN = 3
    ATTRIBUTE_FLAGS = 4
    ATTRIBUTE_LENGTH = 5
    INVALID_ORIGIN = 6
    INVALID_NEXT_HOP = 8
    OPTIONAL_ATTRIBUTE = 9
    INVALID_NETWORK_FIELD = 10
    MALFORMED_AS_PATH = 11


class Reason(StrEnum):
    """Why an attribute, a field or a message is not taken as it came."""

    MARKER = "bad-marker"
    MESSAGE_LENGTH = "bad-message-length"
    MESSAGE_TYPE = "not-an-update"
    FIELD_LENGTH = "field-longer-than-message"
    ATTRIBUTE_OVERRUN = "attribute-longer-than-field"
    FLAGS = "attribute-flags"
    LENGTH = "attribute-length"
    MISSING = "missing-well-known"
    UNRECOGNIZED = "unrecognized-well-known"
    DUPLICATE = "duplicate-attribute"
    ORIGIN_VALUE = "origin-value"
    AS_PATH_SEGMENT = "as-path-segment"
    AS_ZERO = "as-zero"
    CONFEDERATION = "confederation-segment"
    NEXT_HOP_VALUE = "next-hop-value"
    NEXT_HOP_LENGTH = "next-hop-length"
    PREFIX_LENGTH = "prefix-length"
    PREFIX_OVERRUN = "prefix-longer-than-field"
    FAMILY = "family-not-negotiated"
    EXTERNAL = "not-from-external-peer"
    FOUR_OCTET_PEER = "not-from-four-octet-peer"


SUBCODES: dict[Reason, Subcode] = {
    Reason.FIELD_LENGTH: Subcode.MALFORMED_ATTRIBUTE_LIST,
    Reason.ATTRIBUTE_OVERRUN: Subcode.MALFORMED_ATTRIBUTE_LIST,
    Reason.DUPLICATE: Subcode.MALFORMED_ATTRIBUTE_LIST,
    Reason.UNRECOGNIZED: Subcode.UNRECOGNIZED_WELL_KNOWN,
    Reason.MISSING: Subcode.MISSING_WELL_KNOWN,
    Reason.FLAGS: Subcode.ATTRIBUTE_FLAGS,
    Reason.LENGTH: Subcode.ATTRIBUTE_LENGTH,
    Reason.ORIGIN_VALUE: Subcode.INVALID_ORIGIN,
    Reason.NEXT_HOP_VALUE: Subcode.INVALID_NEXT_HOP,
    Reason.NEXT_HOP_LENGTH: Subcode.OPTIONAL_ATTRIBUTE,
    Reason.PREFIX_LENGTH: Subcode.INVALID_NETWORK_FIELD,
    Reason.PREFIX_OVERRUN: Subcode.INVALID_NETWORK_FIELD,
    Reason.AS_PATH_SEGMENT: Subcode.MALFORMED_AS_PATH,
    Reason.AS_ZERO: Subcode.MALFORMED_AS_PATH,
    Reason.CONFEDERATION: Subcode.MALFORMED_AS_PATH,
}
"""The NOTIFICATION subcode of a reason, where the session must be reset for it."""


class Code(IntEnum):
    """Attribute type codes (IANA "BGP Path Attributes"); MESSAGE stands for the UPDATE's own fields."""

    MESSAGE = 0
    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MULTI_EXIT_DISC = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    IPV6_EXTENDED_COMMUNITIES = 25
    LARGE_COMMUNITIES = 32


def code_name(code: int) -> str:
    """The attribute's name in the RFCs, or its number."""
    try:
        return Code(code).name
    except ValueError:
        return f"attribute {code}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something malformed or out of place in one UPDATE that did not cost the session."""

    attribute: int
    """Type code; 0 for the message's own fields."""
    reason: Reason
    treatment: Treatment

    def __str__(self) -> str:
        return f"{code_name(self.attribute)}: {self.reason}, {self.treatment.name.lower().replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class SessionError:
    """The session must end with this NOTIFICATION; nothing of the message that led to it is used."""

    code: int
    subcode: int
    attribute: int
    reason: Reason

    def __str__(self) -> str:
        return f"{code_name(self.attribute)}: {self.reason} (NOTIFICATION {self.code}/{self.subcode})"


class Reset(Exception):
    """Carries a `SessionError` from where it was found to the decoder's loop, no further."""

    def __init__(self, error: SessionError) -> None:
        super().__init__(str(error))
        self.error = error


def reset(reason: Reason, attribute: int = 0, subcode: int | None = None) -> Reset:
    """An UPDATE Message Error (code 3) for `reason`, with that reason's subcode unless another is given."""
    return Reset(SessionError(3, SUBCODES[reason] if subcode is None else subcode, attribute, reason))
