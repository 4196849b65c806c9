"""All checks together: from what was read and what must hold to what is wrong, the gravest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from vrfbgp.verify.findings import Finding, Flaw, Weight
from vrfbgp.verify.gateways import check_gateways
from vrfbgp.verify.ground import Ground
from vrfbgp.verify.nexthops import check_nexthops
from vrfbgp.verify.opinion import Ask, Opinion, check_opinion
from vrfbgp.verify.rules import check_rules
from vrfbgp.verify.sessions import check_sessions
from vrfbgp.verify.sight import Sight
from vrfbgp.verify.tables import check_tables
from vrfbgp.verify.word import check_config, check_word, resting

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of one look."""

    ground: Ground
    sight: Sight
    opinion: Opinion
    findings: tuple[Finding, ...]

    def keep(self, wanted: Callable[[Finding], bool]) -> Checked:
        """With those findings alone."""
        return replace(self, findings=tuple(filter(wanted, self.findings)))


def check(
    ground: Ground, sight: Sight, ask: Ask, status: Json | None = None, refused: list[Json] | None = None
) -> Checked:
    """Look at everything. `status` is the daemon's, `refused` why its files are not what is compared."""
    opinion = Opinion()
    found = list(check_gateways(ground, sight))
    found += check_rules(ground, sight, {finding.subject for finding in found})
    found += check_sessions(ground, sight, resting(status) if status else ())
    found += check_tables(ground, sight)
    found += check_nexthops(ground, sight)
    found += check_opinion(ground, sight, ask, opinion)
    if status is not None:
        found += check_word(ground, sight, status)
    found += check_config(refused or [])
    if sight.skipped:
        text = f"{sight.skipped} links, addresses or rules can't be understood, and are not looked at"
        found.append(Finding(Flaw.NOT_READ, "kernel", text, "use a vrfbgp that knows this kernel"))
    found += (
        Finding(Flaw.NO_UPLINK, problem.subject, problem.text, "see `vrfbgp status`")
        for problem in ground.problems()
    )
    order = list(Weight)
    unique = dict.fromkeys(found)
    return Checked(ground, sight, opinion, tuple(sorted(unique, key=lambda f: order.index(f.weight))))
