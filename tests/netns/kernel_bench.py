"""A started kernel edge in a network namespace of its own, for the tests of `vrfbgp.kernel`.

The namespace has no name: a thread makes it for itself (unshare(2)) and it goes with the thread, however the
test ends. In it are two pairs of devices, near and far ends, so that a test can take a carrier away.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import inspect
import os
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from vrfbgp.events import (
    Applied,
    KernelEvent,
    LinksRead,
    NexthopsRead,
    RulesRead,
    TableRead,
    TablesRead,
)
from vrfbgp.kernel import Kernel
from vrfbgp.kernel.direct import write
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.model import PROTOCOL, Family, KernelNexthop, KernelRoute, RouteKey, Rule, nlri_of
from vrfbgp.operations import Failure, Operation, Step
from vrfbgp.requests import ReadLinks, ReadNexthops, ReadRules, ReadTable, ReadTables

CLONE_NEWNET = 0x40000000
PATIENCE = 20.0
FIRST_ID = 0xB3000000

E = TypeVar("E")
P = ParamSpec("P")


def v4(text: str, table: int = 500, metric: int = 20000) -> RouteKey:
    return RouteKey(table, Family.IPV4, nlri_of(ip_network(text)), metric)


def v6(text: str, table: int = 500, metric: int = 20000) -> RouteKey:
    return RouteKey(table, Family.IPV6, nlri_of(ip_network(text)), metric)


class Bench:
    """The edge, what it told, and the words of these tests."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.events: list[KernelEvent] = []
        self._told = asyncio.Event()
        self._serial = 0
        self._foreign: NetlinkSocket | None = None

    def told(self, event: KernelEvent) -> None:
        self.events.append(event)
        self._told.set()

    # -- the namespace --

    def sh(self, command: str) -> str:
        """Run a command in the namespace; its output."""
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def build(self) -> None:
        # Addresses are there at once, without duplicate address detection (RFC 4862 5.4).
        self.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0")
        self.sh("ip link set lo up")
        for number, name in enumerate(("near", "other"), 1):
            self.sh(f"ip link add {name} type veth peer name {name}-far")
            self.sh(f"ip addr add 10.0.{number}.1/24 dev {name}")
            self.sh(f"ip addr add fd00:{number}::1/64 dev {name} nodad")
            self.sh(f"ip link set {name} up; ip link set {name}-far up")
        self.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")

    @property
    def near(self) -> int:
        return socket.if_nametoindex("near")

    @property
    def other(self) -> int:
        return socket.if_nametoindex("other")

    def by_others(self, *operations: Operation) -> None:
        """Write as another process would: by another socket."""
        if self._foreign is None:
            self._foreign = NetlinkSocket()
        assert write(self._foreign, operations) == []

    def close(self) -> None:
        if self._foreign is not None:
            self._foreign.close()

    # -- the edge --

    async def apply(self, *operations: Step) -> tuple[Failure, ...]:
        self._serial += 1
        serial = self._serial
        self.kernel.apply(serial, operations)
        return (await self.until_applied(serial)).failures

    async def until_applied(self, serial: int) -> Applied:
        return await self.until(Applied, lambda event: event.serial == serial)

    @property
    def applied(self) -> list[Applied]:
        """What was told of batches."""
        return [event for event in self.events if isinstance(event, Applied)]

    async def urgent_done(self) -> None:
        """Wait until all that was urgent is done: no batch overtakes it."""
        await self.done()

    async def done(self, *operations: Step) -> None:
        """Apply; all must succeed."""
        assert await self.apply(*operations) == ()

    async def refused(self, operation: Operation) -> int:
        """Apply one operation that the kernel must refuse; the errno."""
        [failure] = await self.apply(operation)
        assert failure.operation == operation
        return failure.errno

    async def table(self, table: int, family: Family = Family.IPV4) -> dict[RouteKey, KernelRoute]:
        since = len(self.events)
        self.kernel.read(ReadTable(table, family))
        read = await self.until(TableRead, lambda event: event.table == table, since=since)
        assert read.family is family
        found = {
            key: KernelRoute(key, PROTOCOL, nhid=nexthop)
            for metric, nexthops in read.ours.items()
            for nlri, nexthop in nexthops.items()
            for key in (RouteKey(table, family, nlri, metric),)
        }
        others = {route.key: route for route in read.routes}
        assert len(found | others) == len(found) + len(others)
        return found | others

    async def tables(self) -> frozenset[tuple[int, Family]]:
        since = len(self.events)
        self.kernel.read(ReadTables())
        return (await self.until(TablesRead, since=since)).tables

    async def rules(self, family: Family = Family.IPV4) -> tuple[Rule, ...]:
        since = len(self.events)
        self.kernel.read(ReadRules(family))
        return (await self.until(RulesRead, lambda event: event.family is family, since=since)).rules

    async def nexthops(self) -> dict[int, KernelNexthop]:
        since = len(self.events)
        self.kernel.read(ReadNexthops())
        return {found.id: found for found in (await self.until(NexthopsRead, since=since)).nexthops}

    async def links(self) -> LinksRead:
        since = len(self.events)
        self.kernel.read(ReadLinks())
        return await self.until(LinksRead, since=since)

    async def until(
        self,
        kind: type[E],
        matches: Callable[[E], bool] = lambda event: True,
        *,
        since: int = 0,
        seconds: float = PATIENCE,
    ) -> E:
        """The first event of a kind that matches, from place `since` on; fails after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for event in self.events[since:]:
                        if isinstance(event, kind) and matches(event):
                            return event
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            pytest.fail(f"no {kind.__name__} in {seconds} s, but {self.events[since:][-20:]}")

    async def calm(self) -> None:
        """Wait until what building the namespace caused (RFC 4862) has been told."""
        while True:
            since = len(self.events)
            await asyncio.sleep(0.1)
            tentative = self.sh("ip -6 addr show tentative")
            if len(self.events) == since and not tentative:
                return


def in_namespace(
    test: Callable[Concatenate[Bench, P], Awaitable[None]],
) -> Callable[P, None]:
    """Run a test with a `Bench` whose edge has been started, in a namespace of its own."""

    async def with_bench(*args: P.args, **kwargs: P.kwargs) -> None:
        bench = Bench()
        bench.build()
        async with asyncio.timeout(120):
            await bench.kernel.start(bench.told)
            try:
                await bench.calm()
                await test(bench, *args, **kwargs)
            finally:
                await bench.kernel.stop()
                bench.close()

    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if os.geteuid() != 0:
            pytest.skip("network namespaces need root")
        alone(lambda: asyncio.run(with_bench(*args, **kwargs)))

    functools.update_wrapper(run, test)
    del run.__wrapped__  # type: ignore[attr-defined]
    signature = inspect.signature(test)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(signature.parameters.values())[1:]
    )
    return run


def alone(work: Callable[[], None]) -> None:
    """Run in a thread with a network namespace of its own; what is raised there is raised here."""
    raised: list[BaseException] = []

    def body() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), "unshare")
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body, name="namespace")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
