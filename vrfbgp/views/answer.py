"""What the control socket answers: each command and its view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import TypeVar

from vrfbgp.core import Core
from vrfbgp.model import IPAddress, IPNetwork, KernelRoute
from vrfbgp.views.drain import drain_state
from vrfbgp.views.flow import can_ask, explain_flow, incoming
from vrfbgp.views.prefix import explain_prefix
from vrfbgp.views.received import PathState, received
from vrfbgp.views.routes import PAGE, routes
from vrfbgp.views.status import status
from vrfbgp.views.table import RouteState
from vrfbgp.views.walk import KernelAnswer
from vrfbgp.views.words import Json

S = TypeVar("S", bound=StrEnum)
RouteGet = Callable[[IPAddress | None, IPAddress, int | None], Awaitable[KernelRoute]]
"""`Kernel.route_get`: what the kernel does with a packet (source, destination, device it comes in by)."""


async def answer(core: Core, route_get: RouteGet, request: Json, now: float) -> Json:
    """The response to a request; {"error": text} to one that makes no sense."""
    try:
        match request.get("command"):
            case "status":
                return status(core, now)
            case "drain-state":
                return drain_state(core, now)
            case "routes":
                return _routes(core, request)
            case "received":
                state = _one(PathState, request.get("state"))
                return received(core, _network(core, request), state=state, **_page(request))
            case "explain-prefix":
                network = _network(core, request)
                return explain_prefix(core, network, _prefix(request.get("prefix")), now)
            case "explain-flow":
                return await _flow(core, route_get, request, now)
            case other:
                text = f"there is no command {other!r}: this daemon is of another version than its client"
                return {"error": text}
    except ValueError as error:
        return {"error": str(error)}


def _routes(core: Core, request: Json) -> Json:
    asked = request.get("state")
    if asked in tuple(PathState) and asked not in tuple(RouteState):
        raise ValueError(f"{asked!r} is a state of what was received: add --received")
    state = _one(RouteState, asked)
    return routes(core, _network(core, request), state=state, **_page(request))


def _page(request: Json) -> Json:
    """Which part of a long answer is asked for."""
    within, prefix = request.get("within"), request.get("prefix")
    return {
        "limit": _number(request.get("limit", PAGE)),
        "offset": _number(request.get("offset", 0)),
        "within": None if within is None else _prefix(within),
        "prefix": None if prefix is None else _prefix(prefix),
    }


async def _flow(core: Core, route_get: RouteGet, request: Json, now: float) -> Json:
    src, dst = _address(request.get("source")), _address(request.get("destination"))
    kernel: KernelAnswer = None
    if src.version == dst.version and can_ask(core, src):
        try:
            kernel = await route_get(src, dst, incoming(core, src))
        except OSError as error:
            kernel = error
    return explain_flow(core, src, dst, kernel, now)


def _network(core: Core, request: Json) -> str:
    """The name of a network that runs here."""
    name = request.get("network")
    if isinstance(name, str) and name in core.networks:
        return name
    known = [network.name for network in core.intent.networks] if core.intent else []
    if name in known:
        raise ValueError(f"network {name} does not run: vrfbgp status says why")
    others = f"; there are {', '.join(sorted(known))}" if known else ""
    raise ValueError(f"there is no network {name} on this node{others}")


def _address(text: object) -> IPAddress:
    try:
        return ip_address(str(text))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None


def _prefix(text: object) -> IPNetwork:
    try:
        return ip_network(str(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no prefix: {error}") from None


def _number(given: object) -> int:
    if not isinstance(given, int) or given < 0:
        raise ValueError(f"{given!r} is no number of rows")
    return given


def _one(states: type[S], text: object) -> S | None:
    """A state by its word; None if none is asked for."""
    try:
        return None if text is None else states(str(text))
    except ValueError:
        raise ValueError(f"{text!r} is no state of these: {', '.join(states)}") from None
