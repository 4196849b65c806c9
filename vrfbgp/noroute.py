"""The kernel's counters of packets that were to be forwarded and had no route: `unreachable` rules included.

There is one for a whole network namespace, ipSystemStatsInNoRoutes (RFC 4293); of IPv6 there is also one for
each device that packets come in by. None counts for a rule. (A packet of the node's own that meets such a
rule is counted nowhere.)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vrfbgp.model import Family

PROC = Path("/proc/self/net")


def no_route_packets(proc: Path = PROC) -> dict[Family, int]:
    """Those of this network namespace. What the kernel does not tell is left out."""
    counted = {Family.IPV4: of_ipv4(proc), Family.IPV6: _of_ipv6(proc / "snmp6")}
    return {family: packets for family, packets in counted.items() if packets is not None}


def of_ipv4(proc: Path = PROC) -> int | None:
    """IPv4 packets in this network namespace; None if the kernel does not tell."""
    lines = [line.split() for line in _lines(proc / "netstat") if line.startswith("IpExt:")]
    for title, values in zip(lines[::2], lines[1::2], strict=False):
        if "InNoRoutes" in title:
            return int(values[title.index("InNoRoutes")])
    return None


def of_ipv6_by(devices: Iterable[str], proc: Path = PROC) -> dict[str, int]:
    """IPv6 packets that came in by these devices. What the kernel does not tell is left out."""
    counted = {device: _of_ipv6(proc / "dev_snmp6" / device) for device in devices}
    return {device: packets for device, packets in counted.items() if packets is not None}


def _of_ipv6(path: Path) -> int | None:
    return next((int(line.split()[1]) for line in _lines(path) if line.startswith("Ip6InNoRoutes")), None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
