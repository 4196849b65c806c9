"""`purge`: takes all that is ours out of the kernel, without a daemon and without knowing anything but that.

It reads, removes, and reads again until nothing is left: what came or hid meanwhile is found then. The daemon
must not run: it would put everything back at once.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from vrfbgp.events import KernelEvent, NexthopsRead, RulesRead, TableRead, TablesRead
from vrfbgp.fib.purge import Ours, opening, ours, removal
from vrfbgp.kernel import preflight
from vrfbgp.kernel.direct import write
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.reader import Reader
from vrfbgp.model import MAIN_TABLE, Family
from vrfbgp.operations import Failure, Step
from vrfbgp.requests import ReadNexthops, ReadRequest, ReadRules, ReadTable, ReadTables

Json = dict[str, Any]

ROUNDS = 5
"""How often it is looked for more: of several routes of one key, the kernel deletes one at a time."""
SHOWN = 20
"""How many refusals are told one by one."""


Read = Callable[[ReadRequest], KernelEvent]
Apply = Callable[[Sequence[Step]], Sequence[Failure]]


def purge(*, dry_run: bool) -> Json:
    """Remove all that is ours, or say what that is. `preflight.Unfit`; OSError if nothing can be read."""
    with contextlib.ExitStack() as stack:
        if not dry_run:
            preflight.check()
        reader = stack.enter_context(contextlib.closing(Reader()))
        if dry_run:
            return purged(reader.read, None)
        socket = stack.enter_context(contextlib.closing(NetlinkSocket()))
        return purged(reader.read, lambda steps: write(socket, steps))


def purged(read: Read, apply: Apply | None) -> Json:
    """The outcome of a purge by these means; without `apply` it is a dry run."""
    found = first = look(read)
    failures: list[Failure] = []
    for _ in range(ROUNDS if apply else 0):
        if failures or found.empty:
            break
        for steps in (removal(found), opening(found)):
            if apply and not failures:
                failures += apply(steps)
        found = look(read)
    before, left = _counted(first), _counted(found)
    return {
        "dry_run": apply is None,
        "done": apply is not None and found.empty and not found.kept,
        "found": _told(first),
        "removed": {kind: number - left[kind] for kind, number in before.items()},
        "left": left,
        "kept": [{"nexthop": kept.id, "user": kept.user} for kept in found.kept],
        "failed": len(failures),
        "failures": [str(failure) for failure in failures[:SHOWN]],
    }


def look(read: Read) -> Ours:
    """All that is ours, as it is now. OSError."""
    rules = [found for family in Family if isinstance(found := read(ReadRules(family)), RulesRead)]
    nexthops, of_ours = read(ReadNexthops()), read(ReadTables())
    assert isinstance(nexthops, NexthopsRead)
    assert isinstance(of_ours, TablesRead)
    # Main holds nothing of ours; but what is there may hang on a next hop of ours.
    wanted = sorted(of_ours.tables | {(MAIN_TABLE, family) for family in Family})
    tables = (read(ReadTable(table, family)) for table, family in wanted)
    return ours(rules, [found for found in tables if isinstance(found, TableRead)], nexthops)


def _told(found: Ours) -> Json:
    """What is there, in numbers; rules one by one, since there are few."""
    tables: Counter[tuple[int, Family]] = Counter()
    for (table, family, _), groups in found.routes.items():
        tables[table, family] += len(groups)
    return {
        "rules": [str(rule) for rule in found.rules],
        "tables": [
            {"table": table, "family": family.name.lower(), "routes": number}
            for (table, family), number in sorted(tables.items())
        ],
        "groups": len(found.groups),
        "objects": len(found.objects),
    }


def _counted(found: Ours) -> dict[str, int]:
    return {
        "rules": len(found.rules),
        "routes": sum(map(len, found.routes.values())),
        "nexthops": len(found.groups) + len(found.objects),
    }
