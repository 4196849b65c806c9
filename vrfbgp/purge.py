"""`purge`: takes all that is ours out of the kernel, without a daemon and without knowing anything but that.

It reads, removes, and reads again until nothing is left: what came or hid meanwhile is found then. The daemon
must not run: it would put everything back at once.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

from vrfbgp.events import NexthopsRead, RulesRead, TableRead, TablesRead
from vrfbgp.fib.purge import Ours, opening, ours, removal
from vrfbgp.kernel import preflight
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.reader import Reader
from vrfbgp.kernel.writer import Writer
from vrfbgp.model import MAIN_TABLE, Family
from vrfbgp.operations import Failure
from vrfbgp.requests import ReadNexthops, ReadRules, ReadTable, ReadTables

Json = dict[str, Any]

ROUNDS = 5
"""How often it is looked for more: of several routes of one key, the kernel deletes one at a time."""
SHOWN = 20
"""How many refusals are told one by one."""


def purge(*, dry_run: bool) -> Json:
    """Remove all that is ours, or say what that is. `preflight.Unfit`; OSError if nothing can be read."""
    if not dry_run:
        preflight.check()
    with contextlib.closing(Reader()) as reader:
        found = first = look(reader)
        failures: list[Failure] = []
        if not dry_run:
            with contextlib.closing(NetlinkSocket()) as socket:
                writer = Writer(socket)
                for _ in range(ROUNDS):
                    if failures or found.empty:
                        break
                    for steps in (removal(found), opening(found)):
                        if not failures:
                            failures += writer.apply(0, steps).failures
                    found = look(reader)
    before, after = _counted(first), _counted(found)
    return {
        "dry_run": dry_run,
        "done": not dry_run and found.empty and not found.kept,
        "found": _told(first),
        "removed": {kind: number - after[kind] for kind, number in before.items()},
        "left": after,
        "kept": [{"nexthop": kept.id, "user": kept.user} for kept in found.kept],
        "failed": len(failures),
        "failures": [str(failure) for failure in failures[:SHOWN]],
    }


def look(reader: Reader) -> Ours:
    """All that is ours, as it is now. OSError."""
    rules, nexthops = [reader.read(ReadRules(family)) for family in Family], reader.read(ReadNexthops())
    tables = reader.read(ReadTables())
    assert isinstance(tables, TablesRead)
    # Main holds nothing of ours; but what is there may hang on a next hop of ours.
    wanted = sorted(tables.tables | {(MAIN_TABLE, family) for family in Family})
    read = [reader.read(ReadTable(table, family)) for table, family in wanted]
    assert isinstance(nexthops, NexthopsRead)
    return ours(
        [found for found in rules if isinstance(found, RulesRead)],
        [found for found in read if isinstance(found, TableRead)],
        nexthops,
    )


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
