"""ExaBGP's neighbors, made of the configuration that `render` writes, and held in the place of ExaBGP's own.

Read is what the template has, in ExaBGP's syntax, one word or brace a line, and nothing else: ExaBGP's parser
knows all there is, and costs each speaker 1 MB of memory. It is the oracle of the tests of this one.
"""

from __future__ import annotations

from typing import Any

from exabgp.bgp.message.open import ASN, HoldTime, RouterID
from exabgp.bgp.neighbor import Neighbor
from exabgp.configuration.neighbor.api import ParseAPI
from exabgp.protocol.family import AFI, SAFI
from exabgp.protocol.ip import IP, IPRange

FAMILIES = {"ipv4": (AFI.ipv4, SAFI.unicast), "ipv6": (AFI.ipv6, SAFI.unicast)}
_HOST = {AFI.ipv4: "32", AFI.ipv6: "128"}
_NO_PROCESSES = ParseAPI.flatten({})
"""ExaBGP tells nobody anything by itself; the same for all neighbors."""

MANDATORY = ("local-address", "local-as", "peer-as", "router-id")

Block = dict[str, Any]


class Unreadable(ValueError):
    """What is written is not what `render` writes."""


class Neighbors:
    """What ExaBGP's loop takes for its configuration: that of the file `path`, or `text` if it is empty."""

    def __init__(self, path: str = "", text: str = "") -> None:
        self.path = path
        self.neighbors: dict[str, Any] = {}
        self.processes: dict[str, Any] = {}
        self.error = ""
        self._text = text

    def reload(self) -> bool:
        """Read anew. If that fails the neighbors stay those that they were, and `error` says why."""
        try:
            made = {one.name(): one for one in read(self._read())}
        except (OSError, Unreadable) as error:
            self.error = str(error)
            return False
        for name, one in made.items():
            # ExaBGP compares the routes that its configuration has; there are none.
            one.previous = self.neighbors.get(name)
        self.neighbors = made
        return True

    def _read(self) -> str:
        if not self.path:
            return self._text
        with open(self.path, encoding="utf-8") as file:
            return file.read()


def read(text: str) -> list[Any]:
    """The neighbors of a configuration. Raises Unreadable."""
    return [_neighbor(address, block) for address, block in _blocks(text)]


def _blocks(text: str) -> list[tuple[str, Block]]:
    """The address of each neighbor and what stands in its braces; of an inner block it is the lines."""
    found: list[tuple[str, Block]] = []
    outer: Block | None = None
    inner: dict[str, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        name, _, value = words[:-1].partition(" ")
        if not words or words.startswith("#"):
            continue
        if words.endswith(";") and outer is not None:
            (outer if inner is None else inner)[name] = value.strip('"')
        elif words.endswith("{") and outer is None and name == "neighbor":
            outer = {}
            found.append((value.strip(), outer))
        elif words.endswith("{") and outer is not None and inner is None:
            inner = outer[name] = {}
        elif words == "}" and outer is not None:
            outer, inner = (None, None) if inner is None else (outer, None)
        else:
            raise Unreadable(f"line {number}: {name} is out of place")
    if outer is not None:
        raise Unreadable("the end is missing")
    return found


def _neighbor(address: str, block: Block) -> Any:
    made = Neighbor()
    name = "peer-address"
    try:
        made[name] = IPRange.create(address, _HOST[IP.toafi(address)])
        for name, setting in block.items():
            made[name] = _SETTINGS[name](setting)
        for family in made.pop("family"):
            made.add_family(family)
        for next_hop in made.pop("nexthop", ()):
            made["capability"]["nexthop"] = True
            made.add_nexthop(*next_hop)
    except KeyError as error:
        raise Unreadable(f"neighbor {address}: {error.args[0]} is missing or unknown") from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"neighbor {address}: {name}: {error}") from None
    for name in MANDATORY:
        if made[name] is None:
            raise Unreadable(f"neighbor {address}: {name} is missing or unknown")
    made.infer()
    made.api = _NO_PROCESSES
    made.make_rib()
    return made


def _restart_time(value: str) -> int | bool:
    return value != "disable" and int(value)


def _capability(block: Block) -> dict[str, Any]:
    told = {name: _CAPABILITIES[name](value) for name, value in block.items()}
    return {**Neighbor.Capability.defaults, **told}


def _family(block: Block) -> list[Any]:
    return [FAMILIES[name] for name in block]


def _next_hops(block: Block) -> list[Any]:
    return [(*FAMILIES[name], FAMILIES[value.removeprefix("unicast ")][0]) for name, value in block.items()]


_BOOLEANS = {"true": True, "false": False, "enable": True, "disable": False}
_CAPABILITIES = {
    "asn4": _BOOLEANS.__getitem__,
    "route-refresh": _BOOLEANS.__getitem__,
    "extended-message": _BOOLEANS.__getitem__,
    "graceful-restart": _restart_time,
}
_SETTINGS: dict[str, Any] = {
    "description": str,
    "connect": int,
    "passive": _BOOLEANS.__getitem__,
    "local-address": IP.create,
    "source-interface": str,
    "local-as": lambda value: ASN(int(value)),
    "peer-as": lambda value: ASN(int(value)),
    "router-id": RouterID,
    "hold-time": lambda value: HoldTime(int(value)),
    "outgoing-ttl": int,
    "incoming-ttl": int,
    "md5-base64": _BOOLEANS.__getitem__,
    "md5-password": str,
    "adj-rib-in": _BOOLEANS.__getitem__,
    "adj-rib-out": _BOOLEANS.__getitem__,
    "group-updates": _BOOLEANS.__getitem__,
    "manual-eor": _BOOLEANS.__getitem__,
    "capability": _capability,
    "family": _family,
    "nexthop": _next_hops,
}
