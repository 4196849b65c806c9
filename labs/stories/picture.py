"""Draws a story's network as SVG, from its topology and its routers' configs (`make docs`).

The egress node stands in the middle. To its left are the parts that have a router, the external networks; to
its right are the gateways and who is behind them. A part keeps to a row of its own, a step away from the node
is a column. Boxes have a ground of their own, in two palettes, so that the picture is readable on any page,
also where the page's colours are not those that the reader's system asks for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from labs.stories import clab
from labs.stories.story import FOLDER

DRAWN = ("overlap",)
"""The stories whose picture is drawn."""
BOX = (138, 66)
CENTRE_WIDTH = 236
STEP = (168, 112)
MARGIN = 14
CENTRE = "node"
STYLE = """\
text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #1f2328; }
.name { font-weight: 600; }
.address, .device { font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.device { fill: #737b85; }
rect { fill: #f6f8fa; stroke: #737b85; stroke-width: 1.5; }
line { stroke: #737b85; stroke-width: 1.5; }
.red { stroke: #cf4a41; }
.yellow { stroke: #c08a00; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .device { fill: #8b949e; }
  rect { fill: #161b22; }
}
"""


Boxes = dict[str, tuple[int, int, int, int]]
"""Left, top, width and height of each node's box."""


def draw(lab: clab.Lab) -> str:
    """The picture of a topology whose egress node is called `node`, as the text of an SVG file."""
    places = _places(lab)
    columns = [column for column, _ in places.values()]
    left = min(columns)
    rows = 1 + max(row for _, row in places.values())
    wider = CENTRE_WIDTH - BOX[0]
    width = (max(columns) - left) * STEP[0] + BOX[0] + wider + 2 * MARGIN
    height = (rows - 1) * STEP[1] + BOX[1] + 2 * MARGIN + 40
    boxes: Boxes = {}
    for name, (column, row) in places.items():
        x, y = MARGIN + (column - left) * STEP[0] + (wider if column > 0 else 0), MARGIN + row * STEP[1]
        if name == CENTRE:
            boxes[name] = (x, y, CENTRE_WIDTH, BOX[1] + (rows - 1) * STEP[1])
        else:
            boxes[name] = (x, y, *BOX)
    parts = [_line(link, boxes) for link in lab.links]
    for name, box in boxes.items():
        parts += _box(lab, name, box)
    parts += [line for link in lab.links for line in _devices(lab, link, boxes)]
    parts += _fabric(lab, boxes[CENTRE])
    title = f"{lab.name}: {', '.join(places)}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{STYLE}</style>",
            *parts,
            "</svg>",
            "",
        ]
    )


def _places(lab: clab.Lab) -> dict[str, tuple[int, int]]:
    """Column and row of each node that has a network of its own; the egress node is in column 0."""
    neighbors: dict[str, list[str]] = {name: [] for name, node in lab.nodes.items() if node.shares is None}
    for first, second in lab.links:
        neighbors[first.node].append(second.node)
        neighbors[second.node].append(first.node)
    places = {CENTRE: (0, 0)}
    rows = {-1: 0, 1: 0}
    for start in neighbors[CENTRE]:
        if start in places:
            continue
        steps = {start: 1}
        for name in (queue := [start]):
            for other in neighbors[name]:
                if other != CENTRE and other not in steps:
                    steps[other] = steps[name] + 1
                    queue.append(other)
        side = -1 if any(lab.nodes[name].image_variable == "FRR_IMAGE" for name in steps) else 1
        taken: dict[int, int] = {}
        for name, step in steps.items():
            places[name] = (side * step, rows[side] + taken.get(step, 0))
            taken[step] = taken.get(step, 0) + 1
        rows[side] += max(taken.values())
    return places


def _addresses(node: clab.Node) -> list[tuple[str, str]]:
    """Device and address of what a node is given, by `exec:` or by its router's config."""
    found = []
    for words in node.execute:
        if match := re.fullmatch(r"ip address add (\S+) dev (\S+)", " ".join(words)):
            found.append((match[2], match[1]))
    for bind in node.binds:
        if bind.target.endswith("/frr.conf"):
            device = ""
            for line in bind.source.read_text().splitlines():
                if match := re.fullmatch(r"interface (\S+)", line):
                    device = match[1]
                elif match := re.fullmatch(r" ip(?:v6)? address (\S+)", line):
                    found.append((device, match[1]))
    return found


def _colour(name: str) -> str:
    return next((colour for colour in ("red", "yellow") if name.startswith(colour)), "")


def _box(lab: clab.Lab, name: str, box: tuple[int, int, int, int]) -> Iterator[str]:
    x, y, width, height = box
    middle = x + width // 2
    yield f'<rect class="{_colour(name)}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    addresses = [address for _, address in _addresses(lab.nodes[name])]
    if name == CENTRE:
        # Its addresses stand at its links; inside is who shares its network.
        yield _text("name", middle, y + 20, name)
        guests = [node.name for node in lab.nodes.values() if node.shares == name]
        for place, guest in enumerate(guests):
            top = y + height // 2 - 14 + 34 * place
            yield f'<rect x="{middle - 59}" y="{top}" width="118" height="28" rx="6"/>'
            yield _text("name", middle, top + 18, guest)
        return
    first = y + height // 2 + 4 - 7 * len(addresses)
    yield _text("name", middle, first, name)
    for place, address in enumerate(addresses, 1):
        yield _text("address", middle, first + 15 * place, address.removesuffix("/32"))


def _height(link: tuple[clab.End, clab.End], boxes: Boxes) -> int:
    """Where a link is drawn: in the middle of its outer end, or of its left one."""
    first, second = sorted(link, key=lambda end: boxes[end.node][0])
    outer = boxes[second.node if first.node == CENTRE else first.node]
    return outer[1] + outer[3] // 2


def _line(link: tuple[clab.End, clab.End], boxes: Boxes) -> str:
    first, second = sorted(link, key=lambda end: boxes[end.node][0])
    y, start, end = _height(link, boxes), boxes[first.node][0] + boxes[first.node][2], boxes[second.node][0]
    colour = _colour(first.node) or _colour(second.node)
    return f'<line class="{colour}" x1="{start}" y1="{y}" x2="{end}" y2="{y}"/>'


def _devices(lab: clab.Lab, link: tuple[clab.End, clab.End], boxes: Boxes) -> Iterator[str]:
    """The device and the address of the egress node at a link, inside its box."""
    for here, there in (link, link[::-1]):
        if here.node == CENTRE:
            x, _, width, _ = boxes[CENTRE]
            right = boxes[there.node][0] > x
            x, anchor = (x + width - 8, "end") if right else (x + 8, "start")
            y = _height(link, boxes)
            own = [address for device, address in _addresses(lab.nodes[CENTRE]) if device == here.device]
            yield _text("name", x, y - 2, here.device, anchor)
            yield _text("address", x, y + 13, " ".join(own).removesuffix("/32"), anchor)


def _fabric(lab: clab.Lab, box: tuple[int, int, int, int]) -> Iterator[str]:
    node = lab.nodes[CENTRE]
    if not node.management:
        return
    x, bottom = box[0] + box[2] // 2, box[1] + box[3]
    address = " ".join(str(address) for address in node.addresses)
    yield f'<line x1="{x}" y1="{bottom}" x2="{x}" y2="{bottom + 18}"/>'
    yield _text("device", x, bottom + 32, f"eth0 {address}: the cluster's own fabric")


def _text(kind: str, x: int, y: int, text: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def path(name: str) -> Path:
    """Where the picture of a story is."""
    return FOLDER / name / "topology.svg"


def of(name: str) -> str:
    """The picture of a story as it should be."""
    return draw(clab.read(FOLDER / name / f"{name}.clab.yml"))


def main() -> None:
    """Draw all of them anew."""
    for name in DRAWN:
        path(name).write_text(of(name))
        print(path(name), file=sys.stderr)


if __name__ == "__main__":
    main()
