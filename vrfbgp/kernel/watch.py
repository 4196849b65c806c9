"""Follows the kernel: what others change, and what the kernel changes by itself.

One multicast socket on the event loop. Routes and next hops are told as they come. Links, addresses and
rules are told as a fresh dump of all of them, a little after the first message: a burst costs one dump, and
no state is pieced together from messages. When we were too slow and messages were lost (ENOBUFS), what is
left in the socket is thrown away, and `Overrun` told. The socket stays: its large buffer was got by a
privilege that the daemon has not any more.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from struct import Struct

from vrfbgp.events import KernelEvent, NexthopGone, NexthopSeen, Overrun, RouteGone, RouteSeen
from vrfbgp.kernel import parse
from vrfbgp.kernel.netlink import NetlinkSocket, messages
from vrfbgp.kernel.uapi import (
    IFF_LOWER_UP,
    IFF_UP,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELNEXTHOP,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV4_RULE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV6_RULE,
    RTNLGRP_LINK,
    RTNLGRP_NEXTHOP,
)
from vrfbgp.model import Family
from vrfbgp.requests import ReadLinks, ReadRequest, ReadRules

_log = logging.getLogger(__name__)

GROUPS = (
    RTNLGRP_LINK,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV4_RULE,
    RTNLGRP_IPV6_RULE,
    RTNLGRP_NEXTHOP,
)
SETTLE_SECONDS = 0.01
REOPEN_SECONDS = 0.1
"""After an overrun: a flood that goes on must not make us resync without end."""
_DATAGRAMS_PER_TURN = 256
_DATAGRAMS_PER_OVERRUN = 1 << 17
"""More than the buffer holds."""
_LINK = Struct("=BBHiII")
_ADDRESS = Struct("=BBBBi")


class Watch:
    """Tells `on_event` what happens and asks `on_stale` for the dumps that it makes necessary."""

    def __init__(
        self,
        own_port_ids: tuple[int, ...],
        on_event: Callable[[KernelEvent], None],
        on_stale: Callable[[ReadRequest], None],
    ) -> None:
        self._own_port_ids = own_port_ids
        self._on_event = on_event
        self._on_stale = on_stale
        self._socket: NetlinkSocket | None = None
        self._timers: dict[ReadRequest, asyncio.TimerHandle] = {}
        self._reopening: asyncio.TimerHandle | None = None
        self._lapsed: set[int] = set()

    def start(self) -> None:
        """Begin, on the running event loop; OSError."""
        self._socket = NetlinkSocket(blocking=False)
        self._socket.listen(GROUPS, self._own_port_ids)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def stop(self) -> None:
        """End; nothing is told any more."""
        self._close()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None

    def take_lapsed(self) -> frozenset[int]:
        """Devices that were down, without carrier or gone, or that lost an address, since the last call."""
        lapsed = frozenset(self._lapsed)
        self._lapsed.clear()
        return lapsed

    def _close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _readable(self) -> None:
        for _ in range(_DATAGRAMS_PER_TURN):
            if self._socket is None:
                return
            try:
                octets = self._socket.receive()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    asyncio.get_running_loop().remove_reader(self._socket.fileno())
                else:
                    _log.warning("watching the kernel: %s; the socket is replaced", error)
                    self._close()
                self._reopen_later()
                return
            for kind, _, _, start, end in messages(octets):
                self._message(octets, kind, start, end)

    def _reopen_later(self) -> None:
        self._reopening = asyncio.get_running_loop().call_later(REOPEN_SECONDS, self._reopen)

    def _reopen(self) -> None:
        self._reopening = None
        try:
            if self._socket is None:
                self.start()
            elif self._emptied(self._socket):
                asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)
            else:
                self._reopen_later()
                return
        except OSError as error:
            _log.warning("watching the kernel: %s; the socket is replaced", error)
            self._close()
            self._reopen_later()
            return
        self._on_event(Overrun())

    def _emptied(self, socket: NetlinkSocket) -> bool:
        """Throw away what is in the socket; False if more comes all the time. OSError."""
        for _ in range(_DATAGRAMS_PER_OVERRUN):
            try:
                socket.receive()
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
        return False

    def _message(self, octets: bytes, kind: int, start: int, end: int) -> None:
        if kind in (RTM_NEWROUTE, RTM_DELROUTE):
            route = parse.route(octets, start, end)
            if route is not None:
                self._on_event(RouteSeen(route) if kind == RTM_NEWROUTE else RouteGone(route))
        elif kind in (RTM_NEWNEXTHOP, RTM_DELNEXTHOP):
            nexthop = parse.nexthop(octets, start, end)
            if nexthop is not None:
                gone = kind == RTM_DELNEXTHOP
                self._on_event(NexthopGone(nexthop.id) if gone else NexthopSeen(nexthop))
        elif kind in (RTM_NEWLINK, RTM_DELLINK):
            if end - start >= _LINK.size:
                family, _, _, index, flags, _ = _LINK.unpack_from(octets, start)
                alive = kind == RTM_NEWLINK and flags & IFF_UP and flags & IFF_LOWER_UP
                # Other families' messages tell of a bridge's port, say, not of the device.
                if family == 0 and not alive:
                    self._lapsed.add(index)
            self._stale(ReadLinks())
        elif kind in (RTM_NEWADDR, RTM_DELADDR):
            if kind == RTM_DELADDR and end - start >= _ADDRESS.size:
                self._lapsed.add(_ADDRESS.unpack_from(octets, start)[4])
            self._stale(ReadLinks())
        elif kind in (RTM_NEWRULE, RTM_DELRULE) and start < end:
            for family in Family:
                if octets[start] == family:
                    self._stale(ReadRules(family))

    def _stale(self, request: ReadRequest) -> None:
        if request not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[request] = loop.call_later(SETTLE_SECONDS, self._settled, request)

    def _settled(self, request: ReadRequest) -> None:
        del self._timers[request]
        self._on_stale(request)
