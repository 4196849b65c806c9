"""What was measured, as medians with ratios: a table for people, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.reading import Reading

UNITS = {
    "announced": "s",
    "beyond_carrier": "s",
    "lock_wait": "s",
    "lost_share": "%",
    "median": "s",
    "percent": "%",
    "router_late": "s",
    "up": "s",
    "up_cpu": "s",
    "withdrawn": "s",
}
UNSAID = ("answered", "router_late", "samples", "sent", "writes_at_least")
"""In the JSON only."""


@dataclass
class Cell:
    """All readings of one contender in one scenario."""

    scenario: str
    contender: str
    readings: list[Reading] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    """Of one processor, what others used just before each measure."""

    def median(self, name: str) -> float | None:
        """The median of a field of the readings, or of one of `more`; None if there is none."""
        values = [
            value
            for reading in self.readings
            if (value := reading.more[name] if name in reading.more else getattr(reading, name, None))
            is not None
        ]
        return median(values) if values else None

    def extras(self) -> str:
        """The rest of what the readings say, in a few words."""
        if not self.readings:
            return ""
        said = []
        for name in self.readings[0].more:
            value = self.median(name)
            if name in UNSAID or value is None:
                continue
            unit = UNITS.get(name, "")
            said.append(f"{name} {value:,.3g}{unit}" if unit else f"{name} {value:,.0f}")
        return ", ".join(said)


@dataclass
class Report:
    """All cells of a run, and what they were measured with."""

    about: dict[str, Any]
    limits: dict[str, str]
    """For each scenario, the contender that is its limit; missing if it has none."""
    compared: dict[str, str]
    """For each scenario, the field of its readings whose ratios count."""
    titles: dict[str, str]
    cells: list[Cell] = field(default_factory=list)

    def cell(self, scenario: str, contender: str) -> Cell:
        """The cell of a scenario and a contender; made if there is none."""
        found = self.find(scenario, contender)
        if found is None:
            found = Cell(scenario, contender)
            self.cells.append(found)
        return found

    def find(self, scenario: str, contender: str) -> Cell | None:
        """The cell of a scenario and a contender, if there is one."""
        for cell in self.cells:
            if (cell.scenario, cell.contender) == (scenario, contender):
                return cell
        return None

    def ratio(self, cell: Cell, to: str | None, name: str = "seconds") -> float | None:
        """A cell's median by that of another contender in the same scenario; None if either is missing."""
        compared = self.find(cell.scenario, to) if to is not None else None
        if compared is None:
            return None
        mine, other = cell.median(name), compared.median(name)
        return mine / other if mine is not None and other else None

    def table(self) -> str:
        """Markdown, aligned so that it reads in a terminal too."""
        head = ["", "seconds", "min–max", "× BIRD", "× kernel", "CPU s", "MB", "× BIRD", ""]
        blocks = []
        for scenario, title in self.titles.items():
            rows = [self._row(cell) for cell in self.cells if cell.scenario == scenario]
            if not rows:
                continue
            widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
            lines = [aligned(head, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
            blocks.append(
                "\n".join([f"**{scenario}**: {title}", "", *lines, *(aligned(r, widths) for r in rows)])
            )
        return "\n\n".join(blocks)

    def _row(self, cell: Cell) -> list[str]:
        if not cell.readings:
            return [
                cell.contender,
                *["–"] * 7,
                "failed: " + brief(cell.failures[-1] if cell.failures else ""),
            ]
        seconds = [reading.seconds for reading in cell.readings]
        digits = 3 if max(seconds) >= 0.1 else 4
        extras = cell.extras()
        if cell.failures:
            extras += f"; failed {len(cell.failures)} times: {brief(cell.failures[-1])}"
        name = self.compared[cell.scenario]
        return [
            cell.contender,
            number(cell.median("seconds"), digits),
            f"{min(seconds):.{digits}f}–{max(seconds):.{digits}f}",
            number(self.ratio(cell, "bird", name), 2),
            number(self.ratio(cell, self.limits.get(cell.scenario), name), 2),
            number(cell.median("cpu"), 3),
            number(cell.median("memory"), 0),
            number(self.ratio(cell, "bird", "memory"), 2),
            extras,
        ]

    def save(self, path: Path) -> None:
        """Write it as JSON, by rename."""
        document = {
            **self.about,
            "scenarios": self.titles,
            "results": [
                {
                    **asdict(cell),
                    "median": {
                        name: cell.median(name)
                        for name in (
                            "seconds",
                            "cpu",
                            "memory",
                            *(cell.readings[0].more if cell.readings else ()),
                        )
                    },
                    "ratio_to_bird": self.ratio(cell, "bird"),
                    "ratio_to_kernel": self.ratio(cell, self.limits.get(cell.scenario)),
                    "memory_ratio_to_bird": self.ratio(cell, "bird", "memory"),
                }
                for cell in self.cells
            ],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(json.dumps(document, indent=1) + "\n")
        fresh.replace(path)


def aligned(row: list[str], widths: list[int]) -> str:
    """A line of the table: words to the left, figures to the right."""
    cells = [
        text.ljust(width) if at in (0, len(row) - 1) else text.rjust(width)
        for at, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "| " + " | ".join(cells) + " |"


def number(value: float | None, digits: int) -> str:
    """A figure, or a dash."""
    return "–" if value is None else f"{value:,.{digits}f}"


def brief(reason: str) -> str:
    """A reason on one short line."""
    line = " ".join(reason.replace("|", "/").split())
    return line if len(line) <= 160 else line[:157] + "…"
