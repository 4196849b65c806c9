"""Operations as netlink messages: what the kernel is told, octet by octet.

A batch is cut into chunks of many messages, each chunk for one `send`: the kernel works through it in
order inside that call, and goes on behind a message that it refuses. Refusals are answered with the
sequence number of their message; only the last message of a chunk asks to be answered in any case.

Routes are most of what is written. Of a route's message all but the last octets, the prefix, is the same for
every route of one table, next hop and prefix length, and is kept as a template. Runs of routes that differ in
nothing but prefix and next hop are made all at once, by `bulk`.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable, Iterator
from errno import EINVAL
from itertools import groupby
from typing import cast

from vrfbgp.kernel import bulk, rtnl
from vrfbgp.kernel.attributes import packed, packed_u32, packed_via
from vrfbgp.kernel.chunk import Chunk, Draft
from vrfbgp.kernel.uapi import (
    NHA_GATEWAY,
    NHA_GROUP,
    NHA_ID,
    NHA_OIF,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RTA_DST,
    RTA_GATEWAY,
    RTA_NH_ID,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTA_TABLE,
    RTA_VIA,
    RTM_DELNEXTHOP,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RTN_UNICAST,
    RTNH_F_ONLINK,
)
from vrfbgp.model import PROTOCOL, Family, NexthopGroup, NexthopValue, RouteKey, RouteValue
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRoutes,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRoutes,
    DeleteRule,
    Failure,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
    ReplaceRoutes,
    RouteRun,
    Step,
    expanded,
)

MAX_MESSAGES = 16384
MAX_OCTETS = 1 << 20
"""Of one `send`: fewer messages cost more calls, more of them keep the kernel's lock for longer."""

_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEXTHOP = struct.Struct("=BBBBI")
_MEMBER = struct.Struct("=IBBH")
_CREATE = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
_MAX_TEMPLATES = 8192
_SINGLE: dict[type[RouteRun], type] = {
    AddRoutes: AddRoute,
    ReplaceRoutes: ReplaceRoute,
    DeleteRoutes: DeleteRoute,
}

_Template = tuple[bytes, int, bytes]
"""A route's message up to its prefix, the number of octets the prefix must have, and the padding."""


class Encoder:
    """Makes messages of operations. Keeps templates and the sequence numbers, else nothing."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_octets: int = MAX_OCTETS) -> None:
        self._max_messages = max_messages
        self._max_octets = max_octets
        self._templates: dict[tuple[object, ...], _Template] = {}
        self._sequence = 1

    def chunks(self, steps: Iterable[Step]) -> Iterator[Chunk]:
        """The operations in their order, in as few chunks as the limits allow."""
        draft = self._draft()
        for kind, group in groupby(steps, type):
            of_kind = list(group)
            for piece in of_kind if kind in _SINGLE else bulk.gathered(cast(list[Operation], of_kind)):
                if isinstance(piece, RouteRun):
                    draft = yield from self._add_run(draft, piece)
                else:
                    draft = yield from self._add_each(draft, cast(list[Operation], piece))
        if not draft.empty:
            yield self._finished(draft)

    def _add_run(self, draft: Draft, run: RouteRun) -> Generator[Chunk, None, Draft]:
        """Add all of a run to the draft, or to the next ones; those that got full are yielded."""
        try:
            template = _route_template(run)
        except (ValueError, TypeError, AttributeError, struct.error):
            return (yield from self._add_each(draft, expanded(run)))
        done = 0
        while done < len(run):
            count = draft.room(len(template))
            if not count:
                yield self._finished(draft)
                draft = self._draft()
                continue
            part = run.part(done, done + count)
            messages = bulk.encoded(part, template, draft.next)
            if messages is None:
                draft = yield from self._add_each(draft, expanded(part))
            else:
                draft.add_run(messages, part)
            done += count
        return draft

    def _add_each(self, draft: Draft, operations: Iterable[Operation]) -> Generator[Chunk, None, Draft]:
        for operation in operations:
            try:
                message = self.encode(operation)
            except (ValueError, TypeError, AttributeError, struct.error) as error:
                draft.refuse(Failure(operation, EINVAL, f"cannot be encoded: {error}"))
                continue
            if not draft.room(len(message)):
                yield self._finished(draft)
                draft = self._draft()
            draft.add(message, operation)
        return draft

    def _draft(self) -> Draft:
        if self._sequence + self._max_messages > 0xFFFFFFFF:
            self._sequence = 1
        return Draft(self._sequence, self._max_messages, self._max_octets)

    def _finished(self, draft: Draft) -> Chunk:
        self._sequence = draft.next
        return draft.finished()

    def encode(self, operation: Operation) -> bytes:
        """The message of one operation, with a sequence number of 0; ValueError if there is none."""
        kind = operation.__class__
        if kind is AddRoute or kind is ReplaceRoute or kind is DeleteRoute:
            return self._route(operation)  # type: ignore[arg-type]
        if isinstance(operation, AddNexthop):
            return _nexthop(_CREATE, operation.id, operation.value)
        if isinstance(operation, ReplaceNexthop):
            return _nexthop(NLM_F_REQUEST | NLM_F_REPLACE, operation.id, operation.value)
        if isinstance(operation, DeleteNexthop):
            body = _NEXTHOP.pack(0, 0, 0, 0, 0) + packed_u32(NHA_ID, operation.id)
            return _message(RTM_DELNEXTHOP, NLM_F_REQUEST, body)
        if isinstance(operation, AddRule):
            return _message(RTM_NEWRULE, _CREATE, rtnl.encoded(operation.rule))
        if isinstance(operation, DeleteRule):
            return _message(RTM_DELRULE, NLM_F_REQUEST, rtnl.encoded(operation.rule))
        raise TypeError(f"{kind.__name__} is no operation")

    def _route(self, operation: AddRoute | ReplaceRoute | DeleteRoute) -> bytes:
        key = operation.key
        nlri = key.nlri
        value = None if operation.__class__ is DeleteRoute else operation.value  # type: ignore[union-attr]
        shape = (operation.__class__, key.table, key.family, key.metric, value, nlri[:1])
        template = self._templates.get(shape)
        if template is None:
            if len(self._templates) >= _MAX_TEMPLATES:
                self._templates.clear()
            template = self._templates[shape] = _template(operation.__class__, key, value)
        head, size, padding = template
        if len(nlri) != size:
            raise ValueError(f"a prefix of length {nlri[0]} has {size - 1} octets, not {len(nlri) - 1}")
        return head + nlri[1:] + padding


def _route_template(run: RouteRun) -> bytes:
    """The message for the default route on next hop 0; ValueError."""
    key = RouteKey(run.table, run.family, b"\0", run.metric)
    head, _, padding = _template(_SINGLE[type(run)], key, 0)
    return head + padding


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def _template(operation: type, key: RouteKey, value: RouteValue | None) -> _Template:
    if not key.nlri:
        raise ValueError("a prefix has at least the octet of its length")
    length = key.nlri[0]
    family = Family(key.family)
    if length > family.bits:
        raise ValueError(f"a prefix of {family.name} has no length of {length}")
    attributes = packed_u32(RTA_TABLE, key.table) + packed_u32(RTA_PRIORITY, key.metric)
    scope, route_type, flags = RT_SCOPE_UNIVERSE, RTN_UNICAST, 0
    if operation is DeleteRoute:
        # A scope of "nowhere" and no type match any route of the key with our protocol.
        scope, route_type = RT_SCOPE_NOWHERE, 0
        message_type, request = RTM_DELROUTE, NLM_F_REQUEST
    elif value is None:
        raise ValueError("a route without a next hop")
    else:
        message_type = RTM_NEWROUTE
        request = _CREATE if operation is AddRoute else NLM_F_REQUEST | NLM_F_REPLACE
        if isinstance(value, int):
            attributes += packed_u32(RTA_NH_ID, value)
        else:
            attributes += packed_u32(RTA_OIF, value.ifindex)
            if value.gateway is None:
                scope = RT_SCOPE_LINK if family is Family.IPV4 else RT_SCOPE_UNIVERSE
            else:
                flags = RTNH_F_ONLINK
                if Family.of(value.gateway) is family:
                    attributes += packed(RTA_GATEWAY, value.gateway.packed)
                else:
                    attributes += packed(RTA_VIA, packed_via(value.gateway))
            if value.prefsrc is not None:
                attributes += packed(RTA_PREFSRC, value.prefsrc.packed)
    octets = (length + 7) // 8
    padding = bytes(family.bits // 8 - octets)
    destination = packed(RTA_DST, bytes(family.bits // 8))
    header = _ROUTE.pack(family, length, 0, 0, 0, PROTOCOL, scope, route_type, flags)
    whole = _message(message_type, request, header + attributes + destination)
    return whole[: len(whole) - family.bits // 8], 1 + octets, padding


def _nexthop(flags: int, number: int, value: NexthopValue) -> bytes:
    if isinstance(value, NexthopGroup):
        if not value.members:
            raise ValueError("a group has at least one member")
        header = _NEXTHOP.pack(0, 0, PROTOCOL, 0, 0)
        members = b"".join(_MEMBER.pack(member, 0, 0, 0) for member in value.members)
        body = packed(NHA_GROUP, members)
    else:
        header = _NEXTHOP.pack(Family.of(value.gateway), 0, PROTOCOL, 0, RTNH_F_ONLINK)
        body = packed_u32(NHA_OIF, value.ifindex) + packed(NHA_GATEWAY, value.gateway.packed)
    return _message(RTM_NEWNEXTHOP, flags, header + packed_u32(NHA_ID, number) + body)
