"""What the machine lacks to run on, said at the start in one line, and the sysctls that matter to us."""

from __future__ import annotations

import errno
from pathlib import Path

from vrfbgp import privileges
from vrfbgp.kernel.attributes import packed_u32
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.uapi import (
    CAP_NET_ADMIN,
    NLM_F_ACK,
    RT_SCOPE_NOWHERE,
    RTA_TABLE,
    RTM_DELROUTE,
    RTM_GETNEXTHOP,
    RTM_GETRULE,
)
from vrfbgp.model import PROTOCOL, Family

_PRIVILEGE = (
    "CAP_NET_ADMIN is missing, so no route can be written: run as root, or grant it "
    "(systemd: AmbientCapabilities=CAP_NET_ADMIN, Kubernetes: securityContext.capabilities.add: [NET_ADMIN])"
)
_OLD_KERNEL = "the kernel is too old: {}; Linux 5.7 or later is needed"
_NO_RULES = "the kernel has no policy routing: one built with CONFIG_IP_MULTIPLE_TABLES is needed"
_UNUSED_TABLE = 0xFFFFFFFE


class Unfit(Exception):
    """This machine cannot run us; the text says why and what to do."""


def check(status: Path = Path("/proc/self/status")) -> None:
    """Raise `Unfit` if a privilege or a feature of the kernel is missing."""
    privileges.take_up()
    if not has_capability(status, CAP_NET_ADMIN):
        raise Unfit(_PRIVILEGE)
    try:
        socket = NetlinkSocket()
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            raise Unfit(_OLD_KERNEL.format("it has no strict dumps (NETLINK_GET_STRICT_CHK)")) from error
        raise Unfit(f"no netlink socket can be opened: {error}") from error
    try:
        _probe(socket)
    finally:
        socket.close()


def _probe(socket: NetlinkSocket) -> None:
    try:
        for _ in socket.dump(RTM_GETNEXTHOP, bytes(8)):
            pass
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise Unfit(_OLD_KERNEL.format("it has no next hop objects (RTM_GETNEXTHOP)")) from error
        if error.errno != errno.EINTR:
            raise Unfit(f"next hop objects cannot be read: {error}") from error
    try:
        for _ in socket.dump(RTM_GETRULE, bytes((Family.IPV4,)) + bytes(11)):
            pass
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
            raise Unfit(_NO_RULES) from error
        if error.errno != errno.EINTR:
            raise Unfit(f"policy rules cannot be read: {error}") from error
    # In a user namespace the capability may be one over another network namespace: only a request tells.
    # This one deletes a route of ours in a table that nobody has.
    header = bytes((Family.IPV4, 0, 0, 0, 0, PROTOCOL, RT_SCOPE_NOWHERE, 0)) + bytes(4)
    try:
        socket.request(RTM_DELROUTE, header + packed_u32(RTA_TABLE, _UNUSED_TABLE), NLM_F_ACK)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            raise Unfit(_PRIVILEGE) from error


def has_capability(status: Path, capability: int) -> bool:
    """Whether the effective set (CapEff in proc(5)) holds a capability; True if that cannot be read."""
    try:
        for line in status.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "CapEff":
                return bool(int(value, 16) >> capability & 1)
    except (OSError, ValueError):
        pass
    return True
