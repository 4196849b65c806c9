"""Who is to have a session with the node, and what counts of all that the routers announced.

By the ledger of the stories: what a router says in its session, and what is kept of one that restarts
gracefully. What is said while a wire is down gets to the node when it is up again, and not before.
"""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network

from tests.isolation.ledger import Ledger
from tests.isolation.real.plot import ROUTERS, Plot, announcement
from tests.isolation.real.routers import Router, Said
from tests.isolation.truth import Announcement, Net
from vrfbgp.events import DownKind
from vrfbgp.model import PeerId


class Sessions:
    """Of one script."""

    def __init__(self, plot: Plot, routers: dict[str, Router]) -> None:
        self.said: dict[str, dict[str, Said]] = {name: {} for name in ROUTERS}
        """What each router announces, or will when it is started."""
        self.down: set[str] = set()
        """Wires that are down, without a carrier, or without their address."""
        self._heard: dict[str, dict[str, Announcement]] = {name: {} for name in ROUTERS}
        """What they announce, as far as it got to the node; the ledger looks on."""
        self._plot, self._routers = plot, routers
        self._ledger: Ledger[Announcement] = Ledger()

    def reached(self) -> list[str]:
        """The routers that a session must be up with: alive, configured, and at the end of a good wire."""
        return [
            name
            for name in sorted(self._plot.sessions())
            if self._routers[name].running and ROUTERS[name].device not in self.down
        ]

    def counting(self, name: str) -> dict[Net, Announcement]:
        """What counts now of all that a router announced."""
        account = self._ledger.accounts.get(_peer(name))
        said = account.counting(time.monotonic()) if account is not None else {}
        return {ip_network(prefix): words for prefix, words in said.items()}

    def follow(self) -> None:
        """Who is to have a session has one soon, and says all it has."""
        self._ledger.keep_only(_peer(name) for name in self._plot.sessions())
        for name in self.reached():
            router, account = self._routers[name], self._ledger.accounts.get(_peer(name))
            if account is None or not account.up:
                forgets, now = not router.keeps_forwarding, time.monotonic()
                self._ledger.up(_peer(name), self._heard[name], router.graceful, forgets, now)
                self._ledger.end_of_rib(_peer(name))

    def hear(self) -> None:
        """What was said gets to the node, by the wires that are up."""
        for name, said in self.said.items():
            if ROUTERS[name].device not in self.down:
                self._heard[name].clear()
                self._heard[name] |= {
                    prefix: announcement(ROUTERS[name], one) for prefix, one in said.items()
                }

    def ended(self, name: str, begun: float, *, by_a_word: bool) -> None:
        """A router has ended, without a word or by a NOTIFICATION; its end began at this time (monotonic)."""
        kind = DownKind.NOTIFICATION_RECEIVED if by_a_word else DownKind.CONNECTION_LOST
        reached = ROUTERS[name].device not in self.down
        self._ledger.down(_peer(name), kind, reached, begun)

    def forget(self) -> None:
        """A new daemon knows nothing."""
        self._ledger.forget()


def _peer(name: str) -> PeerId:
    return PeerId(ROUTERS[name].network, ip_address(ROUTERS[name].address))
