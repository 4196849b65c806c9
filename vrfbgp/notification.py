"""How sessions end, in words: the names of NOTIFICATION codes and subcodes (RFC 4271 4.5)."""

from __future__ import annotations

from vrfbgp.events import DownCause

CODES = {
    1: "Message Header Error",
    2: "OPEN Message Error",
    3: "UPDATE Message Error",
    4: "Hold Timer Expired",
    5: "Finite State Machine Error",
    6: "Cease",
    7: "ROUTE-REFRESH Message Error",
}
SUBCODES = {
    (1, 1): "Connection Not Synchronized",
    (1, 2): "Bad Message Length",
    (1, 3): "Bad Message Type",
    (2, 1): "Unsupported Version Number",
    (2, 2): "Bad Peer AS",
    (2, 3): "Bad BGP Identifier",
    (2, 4): "Unsupported Optional Parameter",
    (2, 5): "Authentication Failure",
    (2, 6): "Unacceptable Hold Time",
    (2, 7): "Unsupported Capability",
    (2, 11): "Role Mismatch",
    (3, 1): "Malformed Attribute List",
    (3, 2): "Unrecognized Well-known Attribute",
    (3, 3): "Missing Well-known Attribute",
    (3, 4): "Attribute Flags Error",
    (3, 5): "Attribute Length Error",
    (3, 6): "Invalid ORIGIN Attribute",
    (3, 8): "Invalid NEXT_HOP Attribute",
    (3, 9): "Optional Attribute Error",
    (3, 10): "Invalid Network Field",
    (3, 11): "Malformed AS_PATH",
    (5, 1): "Unexpected Message in OpenSent",
    (5, 2): "Unexpected Message in OpenConfirm",
    (5, 3): "Unexpected Message in Established",
    (6, 1): "Maximum Number of Prefixes Reached",
    (6, 2): "Administrative Shutdown",
    (6, 3): "Peer De-configured",
    (6, 4): "Administrative Reset",
    (6, 5): "Connection Rejected",
    (6, 6): "Other Configuration Change",
    (6, 7): "Connection Collision Resolution",
    (6, 8): "Out of Resources",
    (6, 9): "Hard Reset",
    (6, 10): "BFD Down",
}
"""IANA's registry "BGP Parameters"; RFC 4486 and 8538 for Cease, RFC 6608 for the state machine."""


def describe(cause: DownCause) -> str:
    """A sentence for people: `notification received 2/2 (OPEN Message Error, Bad Peer AS)`."""
    words = cause.kind.value.replace("-", " ")
    if cause.code:
        names = CODES.get(cause.code, "unknown code"), SUBCODES.get((cause.code, cause.subcode))
        words += f" {cause.code}/{cause.subcode} ({', '.join(name for name in names if name)})"
    return f"{words}: {printable(cause.text)}" if cause.text else words


def printable(text: str) -> str:
    """A peer's words, with all that a terminal would obey shown instead (RFC 9003 2 leaves it to us)."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
