"""The labs' folders: what a story says, claims and draws is one and the same; no key is left out silently."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labs.stories import clab, picture, story
from vrfbgp.check import check

VERIFY = re.compile(r"""^claim (?:'([^']*)'|"([^"$`]*)")$""", re.M)
SMALL = """\
name: small
topology:
  defaults: {kind: linux, privileged: false, network-mode: none, image: "${HOST_IMAGE:-host}"}
  nodes:
    a: {sysctls: {net.ipv4.ip_forward: 1}}
    b: {network-mode: "container:a"}
    c:
      image: ${FRR_IMAGE:-frr}
      exec: [ip "link add" x]
  links:
    - endpoints: ["a:eth1", "c:eth1"]
"""


@pytest.mark.parametrize("name", story.names())
def test_a_story_is_complete(name: str) -> None:
    folder = story.FOLDER / name
    assert clab.read(folder / f"{name}.clab.yml").name == name
    claims = [one or other for one, other in VERIFY.findall((folder / "verify.sh").read_text())]
    readme = (folder / "README.md").read_text()
    told = re.findall(r"^\d+\. (.*)$", readme.partition("\n## What verify.sh checks\n")[2], re.M)
    assert claims
    assert told == claims
    assert f"[{name}]({name})" in (story.FOLDER / "README.md").read_text()


@pytest.mark.parametrize("name", story.names())
def test_the_config_of_a_story_is_good(name: str) -> None:
    lab = clab.read(story.FOLDER / name / f"{name}.clab.yml")
    controllers = [node for node in lab.nodes.values() if node.image_variable == "VRFBGP_IMAGE"]
    assert controllers
    for node in controllers:
        [config] = [bind.source for bind in node.binds if bind.target == "/etc/vrfbgp"]
        answer = check([config], node.environment["VRFBGP_NODE"], {})
        assert (answer["verdict"], answer["problems"]) == ("ok", [])


def test_all_stories_take_the_same_images() -> None:
    texts = [path.read_text() for path in story.FOLDER.glob("*/*.clab.yml")]
    images = set(re.findall(r"image: (.*)", "\n".join(texts)))
    assert sorted(image.partition(":")[0] for image in images) == [
        "${FRR_IMAGE",
        "${HOST_IMAGE",
        "${VRFBGP_IMAGE",
    ]


@pytest.mark.parametrize("name", picture.DRAWN)
def test_the_picture_is_up_to_date(name: str) -> None:
    assert picture.path(name).read_text() == picture.of(name), "run `make docs`"


def read(tmp_path: Path, text: str) -> clab.Lab:
    path = tmp_path / "small.clab.yml"
    path.write_text(text)
    return clab.read(path)


def test_a_topology_is_read(tmp_path: Path) -> None:
    lab = read(tmp_path, SMALL)
    assert lab.nodes["a"].sysctls == {"net.ipv4.ip_forward": "1"}
    assert lab.nodes["a"].image_variable == "HOST_IMAGE"
    assert lab.nodes["b"].shares == "a"
    assert lab.nodes["c"].execute == (("ip", "link add", "x"),)
    assert lab.links == ((clab.End("a", "eth1"), clab.End("c", "eth1")),)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: small", "name: small\nprefix: x", "the document: prefix: not known here"),
        ("name: small", "name: small\nmgmt: {mtu: 1}", "mgmt: mtu: not known here"),
        ("network-mode: none", "network-mode: none, tmpfs: {}", "topology.defaults: tmpfs: not known here"),
        ("image: ${FRR", "ports: [80]\n      image: ${FRR", "topology.nodes.c: ports: not known here"),
        ("kind: linux", "kind: bridge", "bridge is not known here, only linux"),
        ("privileged: false", "privileged: true", "must be false"),
        ("network-mode: none", "network-mode: host", "host is not known here"),
        ("container:a", "container:z", "there is no node z"),
        ('"c:eth1"', '"d:eth1"', "there is no node d"),
        ('"c:eth1"', '"b:eth1"', "b has no network of its own"),
        ("exec:", "binds: [nothing:/etc/x]\n      exec:", "there is no "),
        ("exec:", "mgmt-ipv4: 10.0.0.1\n      exec:", "mgmt has no ipv4-subnet"),
    ],
)
def test_what_is_not_known_is_refused_by_name(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in SMALL
    with pytest.raises(clab.Unreadable, match=re.escape(told)):
        read(tmp_path, SMALL.replace(old, new, 1))


def test_variables_are_filled_in_from_the_environment() -> None:
    assert clab.filled("${A:-one} ${B:=two} ${C}", {"B": "2", "C": "3"}) == "one 2 3"
    with pytest.raises(clab.Unreadable, match="D is not set"):
        clab.filled("${D}", {})
