"""Sessions → ExaBGP's configuration, by `templates/exabgp.conf.j2`.

Every value that reaches the template was checked here and has a form that can not be taken for syntax:
numbers, addresses, names of known characters, base64. A session that can not be written is refused by
itself; the others are not held up by it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from vrfbgp.model import Family
from vrfbgp.requests import SessionConfig

TEMPLATE = "exabgp.conf.j2"
LONGEST_PASSWORD = 80
"""Octets: TCP_MD5SIG_MAXKEYLEN (linux/tcp.h)."""
LONGEST_RESTART_TIME = 4095
"""Seconds: twelve bits (RFC 4724 3)."""
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}")
"""IFNAMSIZ - 1 characters. The kernel allows more kinds of them; nobody uses those, and ExaBGP's syntax has
some."""
_NAMES = {Family.IPV4: "ipv4", Family.IPV6: "ipv6"}


class SessionRefused(ValueError):
    """A session that no configuration can be written for; says which, why, and what to do."""

    def __init__(self, session: SessionConfig, reason: str) -> None:
        super().__init__(f"peer {session.peer}: {reason}")
        self.session = session
        self.reason = reason


def check(session: SessionConfig) -> None:
    """Raises SessionRefused if the session can not be written."""
    for name, number, low, high in (
        ("the peer's AS", session.peer_as, 1, 0xFFFFFFFF),
        ("the local AS", session.local_as, 1, 0xFFFFFFFF),
        ("the port", session.peer.port, 1, 65535),
        ("the restart time", session.restart_time, 0, LONGEST_RESTART_TIME),
        ("the hold time", session.hold_time, 0, 65535),
        ("the port that we listen on", session.listen.port if session.listen else 179, 1, 65535),
    ):
        if not low <= number <= high:
            raise SessionRefused(session, f"{name} is {number}, must be {low} to {high}")
    if session.hold_time in (1, 2):
        raise SessionRefused(
            session, f"a hold time of {session.hold_time} s: must be 0 or at least 3 (RFC 4271 4.2)"
        )
    if session.keepalive_time is not None and session.keepalive_time < 1:
        raise SessionRefused(session, f"a keepalive time of {session.keepalive_time} s: must be at least 1")
    if session.ttl_security is not None and not 1 <= session.ttl_security <= 255:
        raise SessionRefused(
            session, f"TTL security over {session.ttl_security} hops: must be 1 to 255 (RFC 5082)"
        )
    try:
        IPv4Address(session.router_id)
    except AddressValueError:
        raise SessionRefused(
            session, f"the router id {session.router_id!r} is not in the form of an IPv4 address"
        ) from None
    if session.local_address.version != session.peer.address.version:
        raise SessionRefused(
            session, f"the local address {session.local_address} is of the other address family"
        )
    if getattr(session.peer.address, "scope_id", None) or getattr(session.local_address, "scope_id", None):
        raise SessionRefused(session, "an address with a zone: name the device as source interface instead")
    if not session.families:
        raise SessionRefused(session, "no address family")
    interface = session.source_interface
    if interface is not None and not _INTERFACE.fullmatch(interface):
        raise SessionRefused(
            session, f"the source interface {interface!r} has characters that can not be written"
        )
    if session.password is not None:
        try:
            length = len(session.password.encode())
        except UnicodeEncodeError:
            raise SessionRefused(session, "the password can not be written in UTF-8") from None
        if not length:
            raise SessionRefused(session, "the password is empty")
        if length > LONGEST_PASSWORD:
            raise SessionRefused(
                session, f"the password has {length} octets, TCP MD5 allows {LONGEST_PASSWORD} (RFC 2385)"
            )


def accept(
    sessions: Iterable[SessionConfig],
) -> tuple[tuple[SessionConfig, ...], tuple[SessionRefused, ...]]:
    """The sessions that can be written together, and why not the others."""
    good: dict[object, SessionConfig] = {}
    refused: list[SessionRefused] = []
    for session in sessions:
        try:
            check(session)
            other = good.setdefault(_identity(session), session)
            if other is not session:
                raise SessionRefused(session, f"{other.peer} can't be told from it by its calls")
        except SessionRefused as refusal:
            refused.append(refusal)
    return tuple(good.values()), tuple(refused)


def _identity(session: SessionConfig) -> object:
    """Who calls does so from any port."""
    address = str(session.peer.address)
    return address if session.listen is not None else (address, session.peer.port)


def render(sessions: Iterable[SessionConfig]) -> str:
    """ExaBGP's configuration for these sessions. Raises SessionRefused."""
    good, refused = accept(sessions)
    if refused:
        raise refused[0]
    return _template().render(sessions=[_values(session) for session in good])


def _values(session: SessionConfig) -> dict[str, Any]:
    return {
        "title": re.sub(r"[^A-Za-z0-9_.:/ -]", "_", f"{session.peer} {session.description}")[:100],
        "description": f"keepalive-time {session.keepalive_time}"
        if session.keepalive_time is not None
        else "",
        "peer_address": session.peer.address,
        "port": session.peer.port,
        "local_address": session.local_address,
        "source_interface": session.source_interface,
        "local_as": session.local_as,
        "peer_as": session.peer_as,
        "router_id": session.router_id,
        "hold_time": session.hold_time,
        "outgoing_ttl": session.sent_ttl,
        "incoming_ttl": session.least_ttl,
        "passive": session.listen is not None,
        "password_base64": base64.b64encode(session.password.encode()).decode() if session.password else None,
        "restart_time": session.restart_time,
        "families": [_NAMES[family] for family in sorted(session.families)],
        # RFC 8950: what a router without IPv4 addresses on the link can say. Over IPv4 there are some.
        "extended_next_hop": session.families == frozenset(Family) and session.peer.address.version == 6,
    }


@cache
def _template() -> Template:
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(files("vrfbgp").joinpath("templates", TEMPLATE).read_text())
