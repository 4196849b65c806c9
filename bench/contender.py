"""What is measured: something that is started on the node and keeps tables by BGP."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bench.stage import Network, Stage
from labs.netns.process import Process


class Contender(ABC):
    """One of the daemons. It runs in the foreground, by its command line, with a config of our making."""

    name: str
    steers = False
    """Whether it makes the rules that lead into its tables."""

    def __init__(self) -> None:
        self.processes: list[Process] = []

    @abstractmethod
    def missing(self) -> str:
        """What this machine lacks for it, and how to get it; empty if nothing."""

    @abstractmethod
    def version(self) -> str:
        """As a person names it."""

    @abstractmethod
    def start(self, stage: Stage, networks: tuple[Network, ...], *, again: bool = False) -> None:
        """Start it on the node, for these networks; `again` on a stage where it was killed."""

    def table(self, network: Network) -> int:
        """The routing table in which it keeps a network."""
        return network.table

    def trouble(self) -> str:
        """Why it will get nowhere any more: a process of it has ended. Empty if all is well."""
        for process in self.processes:
            if not process.running:
                return f"{self.name} ended: {process.tail(8)}"
        return ""
