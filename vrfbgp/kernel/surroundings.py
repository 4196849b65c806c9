"""Reads the settings of the node that our work depends on, from /proc, /sys and systemd's files."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from vrfbgp.model import Family
from vrfbgp.surroundings import Surroundings

_NETWORKD = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules", "ManageForeignNextHops")
"""All are yes unless they are set otherwise."""
_NETWORKD_DIRS = ("etc", "run", "usr/local/lib", "usr/lib")
"""Of files with one name, the first counts; then all in the order of their names (networkd.conf(5))."""
_CGROUPS = (
    ("sys/fs/cgroup{}", "memory.max", "memory.current", "inactive_file"),
    ("sys/fs/cgroup/memory{}", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of versions 2 and 1 (cgroup-v2.rst, cgroup-v1/memory.rst)."""
_SHORT = 0.9
"""Part of the limit."""
_NO_LIMIT = 1 << 60
"""Version 1 has the most pages that it can count, for none."""


def read(root: Path = Path("/")) -> Surroundings:
    """The settings as they are now, of the network namespace and the cgroup of this process."""
    net, memories = root / "proc/sys/net", _memories(root)
    return Surroundings(
        ip_forward=_number(net / "ipv4/ip_forward", 1) != 0,
        ipv6_forwarding=_number(net / "ipv6/conf/all/forwarding", 1) != 0,
        strict=frozenset(name for name, value in _devices(net / "ipv4/conf", "rp_filter", 0) if value == 1),
        drops_addresses=frozenset(
            name for name, value in _devices(net / "ipv6/conf", "keep_addr_on_down", 1) if value <= 0
        ),
        hash_policy={
            Family.IPV4: _number(net / "ipv4/fib_multipath_hash_policy", 1),
            Family.IPV6: _number(net / "ipv6/fib_multipath_hash_policy", 1),
        },
        nexthop_compat_mode=_number(net / "ipv4/nexthop_compat_mode", 0) != 0,
        networkd=_networkd(root),
        memory_limit=min((memory.limit for memory in memories), default=None),
        memory_short=min((memory.limit for memory in memories if memory.is_short), default=None),
    )


def _number(path: Path, otherwise: int) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return otherwise


def _devices(conf: Path, name: str, otherwise: int) -> list[tuple[str, int]]:
    """What holds for each device: the higher of its own and that of all."""
    try:
        devices = [entry.name for entry in conf.iterdir()]
    except OSError:
        return []
    of_all = _number(conf / "all" / name, otherwise)
    return [
        (device, max(of_all, _number(conf / device / name, otherwise)))
        for device in devices
        if device not in ("all", "default")
    ]


def _networkd(root: Path) -> tuple[str, ...]:
    if not (root / "run/systemd/netif/state").exists():
        return ()
    found: dict[str, Path] = {}
    for directory in reversed(_NETWORKD_DIRS):
        for file in sorted((root / directory / "systemd/networkd.conf.d").glob("*.conf")):
            found[file.name] = file
    main = [root / directory / "systemd/networkd.conf" for directory in _NETWORKD_DIRS]
    first = [file for file in main if file.is_file()][:1]
    settings = dict.fromkeys(_NETWORKD, True)
    for file in (*first, *(found[name] for name in sorted(found))):
        settings |= _told(file)
    return tuple(name for name, manages in settings.items() if manages)


def _told(file: Path) -> dict[str, bool]:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(file.read_text(errors="replace"))
    except (OSError, configparser.Error):
        return {}
    of = dict(parser["Network"]) if parser.has_section("Network") else {}
    return {name: _is_yes(of[name]) for name in _NETWORKD if of.get(name)}


def _is_yes(word: str) -> bool:
    return word.strip().lower() in ("1", "yes", "y", "true", "t", "on")


@dataclass(frozen=True, slots=True)
class _Memory:
    """The memory limit of a cgroup, in octets, and where it is told what of it is used."""

    limit: int
    used: Path
    stat: Path
    idle: str
    """The word there for pages of files that nobody used lately: they are given back when room is needed."""

    @property
    def is_short(self) -> bool:
        """Whether nearly all of it is used."""
        most = _SHORT * self.limit
        return (used := _number(self.used, 0)) > most and used - self._idle() > most

    def _idle(self) -> int:
        try:
            words = dict(line.split()[:2] for line in self.stat.read_text().splitlines())
        except (OSError, ValueError):
            return 0
        return int(words.get(self.idle, 0))


def _memories(root: Path) -> list[_Memory]:
    """The limits of our own cgroup and those around it."""
    found = []
    for path in _groups(root):
        for directory, limit_file, used, idle in _CGROUPS:
            group = root / directory.format(path)
            limit = _number(group / limit_file, 0)  # Version 2 has the word `max` for none.
            if 0 < limit < _NO_LIMIT:
                found.append(_Memory(limit, group / used, group / "memory.stat", idle))
    return found


def _groups(root: Path) -> list[str]:
    """The paths of our cgroups and of those around them (cgroups(7)); in a container they are the root."""
    paths = {""}
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            parts = [part for part in path.split("/") if part and part != ".."]
            paths |= {"/" + "/".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return sorted(paths)
