"""Messages as the kernel sends them (linux/netlink.h)."""

from __future__ import annotations

import struct

from vrfbgp.kernel import uapi
from vrfbgp.kernel.attributes import packed
from vrfbgp.kernel.netlink import HEADER


def message(kind: int, sequence: int, body: bytes = b"", flags: int = 0) -> bytes:
    return HEADER.pack(16 + len(body), kind, flags, sequence, 0) + body


def answer(sequence: int, number: int = 0, text: str = "") -> bytes:
    """Done, or refused with an errno and perhaps a text."""
    body = struct.pack("=i", -number) + HEADER.pack(60, 24, 0, sequence, 0)
    if not text:
        return message(uapi.NLMSG_ERROR, sequence, body, uapi.NLM_F_CAPPED)
    body += packed(uapi.NLMSGERR_ATTR_MSG, text.encode() + b"\0")
    return message(uapi.NLMSG_ERROR, sequence, body, uapi.NLM_F_CAPPED | uapi.NLM_F_ACK_TLVS)


def done(sequence: int, number: int = 0, flags: int = 0) -> bytes:
    """The end of a dump."""
    return message(uapi.NLMSG_DONE, sequence, struct.pack("=i", -number), flags)
