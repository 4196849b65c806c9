"""A whole table in brief: routes of ours counted by next hop group, with one of each; the others one by one.

What a table of a million routes comes to where only their ways out matter: some lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vrfbgp.model import Family, KernelRoute, Nlri


@dataclass(frozen=True, slots=True)
class Bunch:
    """Routes of ours that differ in nothing but their prefix."""

    routes: int
    example: Nlri


@dataclass(frozen=True, slots=True)
class TableSurvey:
    """What a table holds in one family."""

    table: int
    family: Family
    bunches: Mapping[tuple[int, int], Bunch] = field(default_factory=dict)
    """Routes of ours that were read in bulk, by metric and next hop group."""
    routes: tuple[KernelRoute, ...] = ()
    """All others: everybody else's, and those of ours that have a next hop of their own or are few."""

    @property
    def empty(self) -> bool:
        return not (self.bunches or self.routes)
