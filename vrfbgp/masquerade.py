"""Tells which gateways' packets netfilter gives another source address as they leave by an uplink.

The external network then sees the node's address in place of the gateway's, which is announced in vain. What
is found is told with the rule, and with the command that exempts the gateway; nothing is changed by us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, summarize_address_range

from vrfbgp.intent import GatewayIntent, Intent, Problem, Reason, Severity
from vrfbgp.model import Family, IPNetwork
from vrfbgp.netfilter import spans
from vrfbgp.netfilter.nat import IPSET, Name, Nat
from vrfbgp.netfilter.postrouting import Packets, Translated, translated
from vrfbgp.netfilter.spans import Spans

Uplinks = Mapping[str, Mapping[str, int]]
"""By network: its devices' names, with their indices."""
_CALICO = "cali-"
"""How all chains begin that Calico's Felix makes by iptables."""
_SHOWN = 3
"""So many ranges are named, and the number of the others."""
_NEVER_LEAVE = {Family.IPV4: ((0xE0000000, 0xFFFFFFFF),), Family.IPV6: ((0xFF << 120, (1 << 128) - 1),)}
"""Multicast (RFC 5771, RFC 4291 2.7), which rules exempt as a matter of course."""


class Masquerading:
    """Keeps what it found for as long as what it is asked about stays the same: a plan is made ever again."""

    def __init__(self) -> None:
        self._about: tuple[Nat, Intent, Uplinks] | None = None
        self._found: list[Problem] = []

    def problems(self, nat: Nat, intent: Intent, uplinks: Uplinks) -> list[Problem]:
        """What is in the way of gateways' addresses, by gateway and rule."""
        about = self._about
        if about is None or about[0] is not nat or about[1] is not intent or about[2] != uplinks:
            self._about = nat, intent, uplinks
            self._found = list(_problems(nat, intent, uplinks)) if nat.bases and intent.enabled else []
        return self._found


def _problems(nat: Nat, intent: Intent, uplinks: Uplinks) -> Iterator[Problem]:
    found: dict[Family, dict[str, list[Translated]]] = {family: {} for family in Family}
    indices = {device: index for of_network in uplinks.values() for device, index in of_network.items()}
    for family in Family:
        bits = family.bits
        inside = spans.of(net for net in intent.cluster if Family.of(net) is family)
        outside = spans.without(((0, (1 << bits) - 1),), spans.union((*inside, *_NEVER_LEAVE[family])))
        for device, index in sorted(indices.items()):
            leaving = [g for g in intent.gateways if device in _devices(g, uplinks)]
            if sources := spans.of(_ranges(leaving, family)):
                packets = Packets(sources, outside)
                found[family][device] = [
                    _with_doubt_of_few(one, outside, family)
                    for one in translated(nat, family, device, index, packets)
                ]
    for gateway in intent.gateways:
        for family in Family:
            own = spans.of(_ranges([gateway], family))
            of_gateway = {
                device: found[family].get(device, []) for device in sorted(_devices(gateway, uplinks))
            }
            yield from _of_gateway(gateway, family, own, of_gateway)


def _with_doubt_of_few(found: Translated, all_: Spans, family: Family) -> Translated:
    """What concerns but few destinations may concern none that the network has."""
    packets = found.packets
    if 2 * spans.count(packets.destinations) >= spans.count(all_):
        return found
    few = _listed(_networks(packets.destinations, family))
    return replace(found, packets=packets.doubted((f"whether the network has destinations in {few}",)))


def _of_gateway(
    gateway: GatewayIntent, family: Family, own: Spans, found: Mapping[str, list[Translated]]
) -> Iterator[Problem]:
    """One for each rule that certainly takes packets of a gateway; if there is none, the first that may."""
    by_rule: dict[tuple[Name, int], list[tuple[str, Translated, Spans]]] = {}
    for certain in (True, False):
        for device, of_device in found.items():
            for one in of_device:
                part = spans.both(one.packets.sources, own)
                if part and bool(one.packets.doubt) is not certain and not _is_told_of_pools(one):
                    by_rule.setdefault((one.chain, one.number), []).append((device, one, part))
        if by_rule:
            break
    for cases in list(by_rule.values())[: None if certain else 1]:
        yield _problem(gateway, family, cases)


def _is_told_of_pools(found: Translated) -> bool:
    """Calico's own chain asks an ipset of pools with natOutgoing: which these are, the config says better."""
    by_set = any(word.startswith(("match set", f"set {IPSET}")) for word in found.packets.doubt)
    return by_set and found.chain.name.startswith(_CALICO)


def _problem(gateway: GatewayIntent, family: Family, cases: list[tuple[str, Translated, Spans]]) -> Problem:
    devices = list(dict.fromkeys(device for device, _, _ in cases))
    _, first, _ = cases[0]
    ranges = _networks(spans.union(pair for _, _, part in cases for pair in part), family)
    doubt = dict.fromkeys(word for _, one, _ in cases for word in one.packets.doubt)
    chain = first.chain
    text = (
        f"packets from {_listed(ranges)} {'may leave' if doubt else 'leave'} by {', '.join(devices)} with "
        f"another source address, and the network does not see the gateway's: rule {first.number} of chain "
        f"{chain.name} in table {chain.family} {chain.table} ({first.word}) changes it"
    )
    if doubt:
        text += f", depending on what is not known ({', '.join(doubt)})"
    text += f"; {_remedy(first, ranges, devices)}"
    severity = Severity.NOTICE if doubt else Severity.DEGRADED
    return Problem(severity, Reason.MASQUERADED, f"EgressGateway {gateway.name}", text)


def _remedy(found: Translated, ranges: list[IPNetwork], devices: list[str]) -> str:
    base, version = found.base, ranges[0].version
    if found.chain.name.startswith(_CALICO) or base.table == "calico":
        return "Calico made it: set natOutgoing of the IPPool that holds it to false"
    commands = []
    for range_ in ranges[:_SHOWN]:
        for device in devices:
            if (base.table, base.name) == ("nat", "POSTROUTING"):
                program = "iptables-nft" if version == 4 else "ip6tables-nft"
                commands.append(f"{program} -t nat -I POSTROUTING -s {range_} -o {device} -j ACCEPT")
            else:
                source = f"{'ip' if version == 4 else 'ip6'} saddr {range_}"
                rule = f"{source} oifname {device} accept"
                commands.append(f"nft insert rule {base.family} {base.table} {base.name} {rule}")
    return f"exempt them: {'; '.join(commands)}"


def _listed(ranges: list[IPNetwork]) -> str:
    more = f" and {len(ranges) - _SHOWN} more" if len(ranges) > _SHOWN else ""
    return ", ".join(map(str, ranges[:_SHOWN])) + more


def _networks(of: Spans, family: Family) -> list[IPNetwork]:
    """The prefixes that make up spans."""
    size = family.bits // 8
    ends = [[ip_address(end.to_bytes(size)) for end in span] for span in of]
    return [net for first, last in ends for net in summarize_address_range(first, last)]


def _ranges(gateways: list[GatewayIntent], family: Family) -> Iterator[IPNetwork]:
    return (r for gateway in gateways for r in gateway.ranges if Family.of(r) is family)


def _devices(gateway: GatewayIntent, uplinks: Uplinks) -> set[str]:
    return {device for network in gateway.networks for device in uplinks.get(network, ())}
