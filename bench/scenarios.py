"""All scenarios, in the order in which they are measured, and what their figures mean."""

from __future__ import annotations

from dataclasses import dataclass

from bench.churn import RATE, churn
from bench.failover import Loss, failover
from bench.fill import filled, many
from bench.idle import idle
from bench.play import Measure
from bench.restart import restart
from bench.withdraw import peer_died, withdrawn


@dataclass(frozen=True)
class Scenario:
    """A measure with its name, and what its figures mean."""

    name: str
    about: str
    """A title, with a place for the count."""
    measure: Measure
    count: int
    """Prefixes at scale 1, in each network."""
    kernel: tuple[str, ...] = ()
    """Which of the kernel's two ways it can be compared with; the last is the limit."""
    compared: str = "seconds"
    """The field of its readings whose ratios count."""
    scaled: bool = True
    least: int = 100
    """Below so many prefixes it proves nothing."""

    def size(self, scale: float) -> int:
        """Prefixes in each network at a scale."""
        return max(self.least, int(self.count * scale)) if self.scaled else self.count

    def title(self, scale: float) -> str:
        """What is measured, with the count at this scale."""
        return self.about.format(self.size(scale))


BOTH = ("kernel-inline", "kernel-nexthop")
OBJECTS = ("kernel-nexthop",)
SCENARIOS = (
    Scenario("full", "full table: {:,} prefixes, about 6 an UPDATE", filled(5.5), 1_000_000, BOTH),
    Scenario("dense", "{:,} prefixes, 400 an UPDATE", filled(400), 100_000, BOTH),
    Scenario("single", "{:,} prefixes, 1 an UPDATE", filled(1), 100_000, BOTH),
    Scenario("withdraw", "all of {:,} prefixes withdrawn, 1 an UPDATE", withdrawn, 1_000_000, BOTH),
    Scenario("withdraw-death", "the only peer of {:,} prefixes killed", peer_died, 1_000_000, OBJECTS),
    Scenario(
        "peer-killed", "best of two peers killed, {:,} prefixes", failover(Loss.KILLED), 500_000, OBJECTS
    ),
    Scenario(
        "link-cut", "link to the best of two peers cut, {:,} prefixes", failover(Loss.CUT), 500_000, OBJECTS
    ),
    Scenario(
        "ecmp-killed",
        "one of two equal peers killed, {:,} prefixes",
        failover(Loss.KILLED, equal=True),
        500_000,
        OBJECTS,
    ),
    Scenario("restart", "killed and started again, {:,} prefixes", restart, 500_000, least=1000),
    Scenario(
        "churn",
        f"{RATE:,} prefixes announced and {RATE:,} withdrawn a second, beside {{:,}}: 99th percentile",
        churn,
        100_000,
        least=5 * RATE,
    ),
    Scenario("networks", "50 networks of {:,} prefixes", many, 4000, BOTH),
    Scenario("idle", "idle, 4 networks of {:,} prefixes", idle, 1000, compared="cpu", scaled=False),
)
