"""A socket filter that drops the echo of our own writes before it costs anything.

The kernel tells every listener of every change, and marks the message with the port id of the socket that
asked for it (nlmsg_pid). A classic BPF program (linux/filter.h) on the listening socket drops what bears one
of ours: a million routes of our own then neither fill its buffer nor wake us.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Iterable
from typing import Final, Protocol

SO_ATTACH_FILTER: Final = 26
_INSTRUCTION = struct.Struct("=HBBI")
_LD_W_ABS = 0x20
_JEQ_K = 0x15
_RET_K = 0x06
_PORT_ID_AT = 12
_ALL = 0xFFFFFFFF


class _Socket(Protocol):
    def setsockopt(self, level: int, optname: int, value: bytes, /) -> None: ...


def without_senders(port_ids: Iterable[int]) -> bytes:
    """The program: nothing that one of these (at most 254) caused, all else whole."""
    ports = sorted(set(port_ids))
    program = _INSTRUCTION.pack(_LD_W_ABS, 0, 0, _PORT_ID_AT)
    for at, port in enumerate(ports):
        # BPF loads in network byte order, netlink writes in the host's.
        seen = int.from_bytes(port.to_bytes(4, sys.byteorder), "big")
        program += _INSTRUCTION.pack(_JEQ_K, len(ports) - at, 0, seen)
    return program + _INSTRUCTION.pack(_RET_K, 0, 0, _ALL) + _INSTRUCTION.pack(_RET_K, 0, 0, 0)


def attach(sock: _Socket, program: bytes) -> None:
    """Make a socket use the program, in place of any before it; OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog holds an address, which the kernel reads during this call only.
    fprog = struct.pack("HP", len(program) // _INSTRUCTION.size, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
