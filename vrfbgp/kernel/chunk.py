"""Chunks: the messages of one `send`, numbered, with the operations that their numbers stand for.

A chunk is written into a `Draft`, message by message or run by run, until no more fit. Its numbers are
consecutive, so that the place of an operation follows from the number of an answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from struct import Struct

from vrfbgp.kernel.uapi import NLM_F_ACK
from vrfbgp.operations import Failure, Operation, RouteRun

FLAGS_AT = 6
SEQUENCE_AT = 8
"""Of nlmsg_flags and nlmsg_seq in a message."""
_U16 = Struct("=H")
_U32 = Struct("=I")


class Carried:
    """The operations of a chunk by their place; those of a run are not made before they are asked for."""

    def __init__(self) -> None:
        self._parts: list[RouteRun | list[Operation]] = []
        self._starts: list[int] = []
        self._count = 0

    def add(self, operation: Operation) -> None:
        """One more at the end."""
        if self._parts and isinstance(part := self._parts[-1], list):
            part.append(operation)
        else:
            self._parts.append([operation])
            self._starts.append(self._count)
        self._count += 1

    def add_run(self, run: RouteRun) -> None:
        """All operations of a run at the end."""
        self._parts.append(run)
        self._starts.append(self._count)
        self._count += len(run)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> Operation:
        index = bisect_right(self._starts, place) - 1
        part, within = self._parts[index], place - self._starts[index]
        return part[within] if isinstance(part, list) else part.at(within)

    def since(self, place: int) -> Iterator[Operation]:
        """Those from a place on."""
        return map(self.__getitem__, range(place, self._count))

    def __iter__(self) -> Iterator[Operation]:
        return self.since(0)


class Chunk:
    """What goes to the kernel in one `send`.

    `operations[i]` is the message with sequence number `first + i`; `refused` could not be put in words of
    the kernel's and is not among them.
    """

    __slots__ = ("first", "octets", "operations", "refused")

    def __init__(self, first: int) -> None:
        self.first = first
        self.octets = bytearray()
        self.operations = Carried()
        self.refused: list[Failure] = []


class Draft:
    """A chunk in the making."""

    def __init__(self, first: int, max_messages: int, max_octets: int) -> None:
        self._chunk = Chunk(first)
        self._max_messages = max_messages
        self._max_octets = max_octets
        self._last = 0

    @property
    def empty(self) -> bool:
        """Nothing is in it, nothing was refused."""
        return not self._chunk.operations and not self._chunk.refused

    @property
    def next(self) -> int:
        """The sequence number of the message that comes next."""
        return self._chunk.first + len(self._chunk.operations)

    def room(self, size: int) -> int:
        """How many more messages of `size` octets fit; into an empty chunk always one."""
        count = len(self._chunk.operations)
        fit = min(self._max_messages - count, (self._max_octets - len(self._chunk.octets)) // size)
        return max(fit, 0 if count else 1)

    def add(self, message: bytes, operation: Operation) -> None:
        """One message, of any number."""
        octets = self._chunk.octets
        self._last = len(octets)
        octets += message
        _U32.pack_into(octets, self._last + SEQUENCE_AT, self.next)
        self._chunk.operations.add(operation)

    def add_run(self, messages: bytearray, run: RouteRun) -> None:
        """The messages of a run, numbered from `next`."""
        octets = self._chunk.octets
        self._last = len(octets) + len(messages) - len(messages) // len(run)
        if octets:
            octets += messages
        else:
            self._chunk.octets = messages
        self._chunk.operations.add_run(run)

    def refuse(self, failure: Failure) -> None:
        """An operation that no message can be made of."""
        self._chunk.refused.append(failure)

    def finished(self) -> Chunk:
        """The chunk; its last message asks for an answer."""
        octets = self._chunk.octets
        if octets:
            at = self._last + FLAGS_AT
            _U16.pack_into(octets, at, _U16.unpack_from(octets, at)[0] | NLM_F_ACK)
        return self._chunk
