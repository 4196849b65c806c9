"""A BIRD 2 in a network of topology A: another router than FRR, with a feed of its own.

Every route that it announces has `COMMUNITIES` and, if it was fed, one of its own: an UPDATE each, of some
540 octets.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable

import pytest

from labs.netns.namespace import join
from labs.netns.topology import LOCAL_AS, SERVED, Site, Topology
from labs.netns.waiting import wait_for

COMMUNITIES = 40
MEMBER_FIELD = re.compile(r"^\s+(?P<name>[A-Z][A-Za-z ]+): +(?P<value>.+)$", re.MULTILINE)


class Bird:
    """BIRD at a host of a network's subnet, with one session, to the node; it announces `SERVED` at once."""

    def __init__(self, topology: Topology, site: Site, host: int, asn: int) -> None:
        if shutil.which("bird") is None:
            pytest.skip("BIRD is not installed (apt-get install bird2)")
        self.address = site.address(host)
        namespace = self.namespace = topology.lab.namespace(f"{site.name}-bird")
        join(namespace, "eth0", site.switch, "bird")
        site.switch.ip("link set bird master br0")
        namespace.ip(f"addr add {self.address}/24 dev eth0")
        self._directory = namespace.directory
        self._feed = self._directory / "bird-feed.conf"
        self._feed.write_text("")
        self._socket = self._directory / "bird.ctl"
        path = self._directory / "bird.conf"
        wordy = " ".join(f"bgp_large_community.add(({asn}, 7, {number}));" for number in range(COMMUNITIES))
        path.write_text(
            f"""log stderr all;
router id {self.address};
protocol device {{ }}
protocol static served {{ ipv4; route {SERVED} blackhole; }}
protocol static feed {{
  ipv4;
include "{self._feed}";
}}
protocol bgp node {{
  local {self.address} as {asn};
  neighbor {site.node_address} as {LOCAL_AS};
  passive;
  debug {{ states }};
  ipv4 {{ import none; export filter {{ {wordy} accept; }}; next hop self; }};
}}
"""
        )
        self.process = namespace.start("bird", "bird", "-f", "-c", str(path), "-s", str(self._socket))
        wait_for(self._answers, describe=self.process.output)

    def _answers(self) -> bool:
        return self._socket.exists() and "BIRD" in self.ask("show status")

    def ask(self, command: str) -> str:
        """What birdc says."""
        return self.namespace.run("birdc", "-s", str(self._socket), *command.split())

    def feed(self, prefixes: Iterable[str], *, asn: int) -> None:
        """Announce these beside `SERVED`, and none else."""
        with self._feed.open("w") as file:
            for number, prefix in enumerate(prefixes):
                own = f"bgp_large_community.add(({asn}, 1, {number}));"
                file.write(f"route {prefix} blackhole {{ {own} }};\n")
        said = self.ask("configure")
        assert "Reconfigured" in said or "Reconfiguration in progress" in said, said

    def session(self) -> dict[str, str]:
        """The session as BIRD tells it: `BGP state`, `Hold timer`, …"""
        found = MEMBER_FIELD.finditer(self.ask("show protocols all node"))
        return {match["name"]: match["value"].strip() for match in found}

    def sessions_begun(self) -> int:
        """How often the session has reached Established: 1 means that it never flapped."""
        return self.process.output().count("node: State changed to up")

    def exported(self) -> int:
        """How many routes the session has sent."""
        found = re.search(r"(\d+) exported", self.ask("show protocols all node"))
        return int(found[1]) if found is not None else 0
