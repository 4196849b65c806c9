"""Whether this machine can hold a lab: asked before, so that a test is skipped with a reason, not failed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess

from labs.netns import frr
from labs.netns.lab import Lab
from labs.netns.namespace import CommandFailed, join
from labs.netns.topology import masquerade


def missing() -> str:
    """What this machine lacks for the labs, and what to do about it; empty if nothing."""
    if os.geteuid() != 0:
        return "namespaces need root"
    for tool, package in (("ip", "iproute2"), ("setpriv", "util-linux")):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (apt-get install {package})"
    if reason := frr.missing():
        return reason
    if not hasattr(ctypes.CDLL(None), "setns"):
        return "the C library has no setns(2)"
    try:
        with Lab() as lab:
            first, second = lab.namespace("first"), lab.namespace("second")
            join(first, "a0", second, "b0")
            first.ip("addr add 192.0.2.1/24 dev a0")
            for feature, line in (
                ("bridges", "link add br0 type bridge"),
                ("next hop objects (Linux 5.3)", "nexthop add id 1 via 192.0.2.2 dev a0"),
                ("policy routing", "rule add from 192.0.2.9 table 500 protocol 179"),
            ):
                if not first.try_ip(line):
                    return f"the kernel, or ip(8), has no {feature}"
            try:
                masquerade(first, "a0")
            except (CommandFailed, OSError) as error:
                return f"neither nftables nor iptables can masquerade: {error}"
    except (CommandFailed, OSError, subprocess.CalledProcessError, RuntimeError) as error:
        return f"no network namespaces here: {error}"
    return ""
