"""Routes for ExaBGP to announce and to withdraw, made from the words of a command without its parser.

That parser touches 1 MB of each speaker's memory, and takes the octets apart that the daemon put together. It
is the oracle of this module's tests.
"""

from __future__ import annotations

from struct import pack
from typing import Any

from exabgp.bgp.message import Action
from exabgp.bgp.message.open import ASN
from exabgp.bgp.message.update.attribute import (
    MED,
    SEQUENCE,
    ASPath,
    Attributes,
    LocalPreference,
    NextHop,
)
from exabgp.bgp.message.update.attribute.community import (
    Communities,
    Community,
    LargeCommunities,
    LargeCommunity,
)
from exabgp.bgp.message.update.nlri import CIDR, INET
from exabgp.protocol.family import SAFI
from exabgp.protocol.ip import IP
from exabgp.rib.change import Change


def announced(neighbor: Any, prefix: str, words: dict[str, Any]) -> Any:
    """The route of an `announce` to this neighbor (`command.announce`).

    Raises KeyError, TypeError, ValueError or OSError if it is none, or if the next hop is to be ourselves and
    we have no address of the prefix's family.
    """
    nlri = _nlri(prefix, Action.ANNOUNCE)
    next_hop = words.get("next_hop")
    address = neighbor.ip_self(nlri.afi) if next_hop is None else IP.create(next_hop)
    nlri.nexthop = address
    attributes = Attributes()
    attributes.add(NextHop(str(address), address.pack()))
    if "as_path" in words:
        attributes.add(ASPath([SEQUENCE(map(ASN, words["as_path"]))]))
    if "med" in words:
        attributes.add(MED(words["med"]))
    if "local_pref" in words:
        attributes.add(LocalPreference(words["local_pref"]))
    if "communities" in words:
        communities = Communities()
        for high, low in words["communities"]:
            communities.add(Community(pack("!HH", high, low)))
        attributes.add(communities)
    if "large_communities" in words:
        large = LargeCommunities()
        # RFC 8092 5: none is sent twice.
        for parts in dict.fromkeys(map(tuple, words["large_communities"])):
            large.add(LargeCommunity(pack("!LLL", *parts)))
        attributes.add(large)
    return Change(nlri, attributes)


def withdrawn(prefix: str) -> Any:
    """The route of a `withdraw`. Raises ValueError or OSError if it is none."""
    nlri = _nlri(prefix, Action.WITHDRAW)
    # Looked at, but not sent.
    nlri.nexthop = NextHop("0.0.0.0")
    return Change(nlri, Attributes())


def queue(neighbor: Any, route: Any) -> None:
    """Have a route sent to a neighbor, in the place of whatever waits to be sent of the same prefix.

    ExaBGP sends what waits by its attributes, the set that was first used first: an announcement would go
    behind the withdrawal that took it back.
    """
    outgoing = neighbor.rib.outgoing
    if outgoing.in_cache(route):
        return
    if waits := outgoing._new_nlri.pop(route.index(), None):
        of_family = outgoing._new_attr_af_nlri[waits.attributes.index()][route.nlri.family().afi_safi()]
        del of_family[route.index()]
    outgoing.add_to_rib(route)


def _nlri(prefix: str, action: Action) -> Any:
    address, _, length = prefix.partition("/")
    nlri = INET(IP.toafi(address), SAFI.unicast, action)
    nlri.cidr = CIDR(IP.pton(address), int(length))
    return nlri
