"""The stories of labs/containerlab, each in network namespaces: the same topology, configs and verify.sh."""

from __future__ import annotations

from pathlib import Path

import pytest

from labs.netns.supervisor import NETNS
from labs.stories import clab
from labs.stories.namespaces import Namespaces
from labs.stories.story import Verdict, names, tell

SMALL = """\
name: small
mgmt: {ipv4-subnet: 10.9.0.0/24}
topology:
  defaults: {kind: linux, privileged: false, network-mode: none, image: "${HOST_IMAGE:-host}"}
  nodes:
    host:
      network-mode: bridge
      mgmt-ipv4: 10.9.0.9
      sysctls: {net.ipv4.ip_forward: 1}
      binds: [told:/etc/told/file:ro]
      exec: [ip address add 192.0.2.1/24 dev out0]
    guest: {network-mode: "container:host"}
    other:
      exec: [ip address add 192.0.2.2/24 dev in0]
  links:
    - endpoints: ["host:out0", "other:in0"]
"""
VERIFY = """\
#!/usr/bin/env bash
source "$(dirname "$0")/../claims.sh"
claim 'the network is as it was written'
on other ping -c 1 -W 5 192.0.2.1 >/dev/null
same 10.9.0.9/24 "$(on guest ip -brief address show eth0 | grep -o '10[0-9./]*')" 'its address'
same 1 "$(on guest cat /proc/sys/net/ipv4/ip_forward)" 'forwarding'
same yes "$(on host cat /etc/told/file)" 'the file'
claim 'a file of one node is not there for others, and nothing is written to this machine'
if on guest test -e /etc/told; then fail 'the guest has it'; fi
if on host sh -c 'echo no >/etc/told/file' 2>/dev/null; then fail 'it could be written to'; fi
[[ ! -e /etc/told ]]
claim 'a node that shares the network of another ends and starts alone'
kill_node guest
if on guest true 2>/dev/null; then fail 'it lives'; fi
on other ping -c 1 -W 5 192.0.2.1 >/dev/null
start_node guest
same 10.9.0.9/24 "$(on guest ip -brief address show eth0 | grep -o '10[0-9./]*')" 'its address'
"""


def small(place: Path, topology: str = SMALL, verify: str = VERIFY) -> Verdict:
    """Run a story of one's own, in namespaces."""
    folder = place / "stories" / "small"
    folder.mkdir(parents=True)
    (folder / "small.clab.yml").write_text(topology)
    (folder / "told").write_text("yes\n")
    (folder / "verify.sh").write_text(verify)
    (folder / "verify.sh").chmod(0o755)
    return tell("small", in_namespaces, place / "run", stories=folder.parent, evidence_in=place / "left")


def in_namespaces(topology: clab.Lab, _file: Path) -> Namespaces:
    return Namespaces(topology)


@pytest.mark.parametrize("name", names())
def test_story(labs_work: None, tmp_path: Path, name: str) -> None:
    verdict = tell(name, in_namespaces, tmp_path / "labs")
    assert not verdict.failed, f"{verdict.said}\nwhat was seen: {verdict.left}"


def test_a_network_is_built_as_it_is_written(labs_work: None, tmp_path: Path) -> None:
    verdict = small(tmp_path)
    assert not verdict.failed, verdict.said
    assert "small: all 3 claims hold" in verdict.said


def test_a_claim_that_does_not_hold_fails_the_story_and_leaves_what_was_seen(
    labs_work: None, tmp_path: Path
) -> None:
    before = set(NETNS.glob("*.other"))
    verify = VERIFY.replace("test -e /etc/told", "true").replace("\nclaim 'a node", "\nexit 0\nclaim 'a node")
    verdict = small(tmp_path, verify=verify)
    assert verdict.failed
    assert "the claim does not hold: a file of one node is not there for others" in verdict.said
    assert "the guest has it" in verdict.said
    assert verdict.left == tmp_path / "left" / "small-namespaces"
    assert "inet 192.0.2.1/24" in (verdict.left / "host.txt").read_text()
    assert "the guest has it" in (verdict.left / "failure.txt").read_text()
    assert {path.name for path in verdict.left.glob("*.log")} == {"guest.log", "host.log", "other.log"}
    assert set(NETNS.glob("*.other")) <= before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("${HOST_IMAGE:-host}", "alpine", "node host: image: alpine is not known here"),
        (":/etc/told/file:ro", ":/opt/file", "node host: binds: /opt/file must be below /etc"),
        ("dev out0", "dev out1", "node host: exec ip address add 192.0.2.1/24 dev out1: status 1"),
    ],
)
def test_what_namespaces_can_not_do_fails_the_story(
    labs_work: None, tmp_path: Path, old: str, new: str, told: str
) -> None:
    verdict = small(tmp_path, SMALL.replace(old, new))
    assert verdict.failed
    assert told in verdict.said
