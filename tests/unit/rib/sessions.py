"""Decoders for tests, and what came out of them in a form that is easy to compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, ip_network

from vrfbgp.events import Negotiated
from vrfbgp.model import Family, Nlri, nlri_of
from vrfbgp.rib.decode import Decoder, Update
from vrfbgp.rib.errors import SessionError

BOTH = frozenset(Family)


def decoder(
    *,
    internal: bool = False,
    asn4: bool = True,
    families: Iterable[Family] = BOTH,
    add_path: Iterable[Family] = (),
    extended_message: bool = False,
    extended_next_hop: bool = False,
    exact: bool = False,
) -> Decoder:
    """A decoder of a session with both families, external unless told."""
    negotiated = Negotiated(
        peer_as=64501,
        router_id="192.0.2.1",
        local_address=IPv4Address("192.0.2.2"),
        hold_time=90,
        families=frozenset(families),
        asn4=asn4,
        add_path=frozenset(add_path),
        extended_message=extended_message,
        extended_next_hop=extended_next_hop,
    )
    return Decoder(negotiated, internal, exact=exact)


def decoded(data: bytes, by: Decoder | None = None) -> list[Update | SessionError]:
    """All that a run of messages comes to, one by one."""
    return list(one_by_one((by or decoder()).block(data)))


def one_by_one(found: Iterable[Update | SessionError]) -> Iterator[Update | SessionError]:
    """What stands for several messages, as what each of them comes to."""
    for one in found:
        if isinstance(one, SessionError) or one.messages == 1:
            yield one
            continue
        (run,) = (*one.withdrawn, *one.announced)
        assert len(run.nlri) == one.messages
        for nlri in run.nlri:
            yield one._replace(
                withdrawn=tuple(of._replace(nlri=[nlri]) for of in one.withdrawn),
                announced=tuple(of._replace(nlri=[nlri]) for of in one.announced),
                messages=1,
            )


def one_update(data: bytes, by: Decoder | None = None) -> Update:
    """What a single message comes to, which is no error."""
    (found,) = decoded(data, by)
    assert isinstance(found, Update), found
    return found


def one_error(data: bytes, by: Decoder | None = None) -> SessionError:
    """What a single message comes to, which is an error."""
    (found,) = decoded(data, by)
    assert isinstance(found, SessionError), found
    return found


def withdrawn(update: Update) -> list[Nlri]:
    """All prefixes withdrawn, of either family."""
    return [nlri for run in update.withdrawn for nlri in run.nlri]


def announced(update: Update) -> list[Nlri]:
    """All prefixes announced, of either family."""
    return [nlri for run in update.announced for nlri in run.nlri]


def prefix(text: str) -> Nlri:
    """The wire form of a printable prefix."""
    return nlri_of(ip_network(text))
