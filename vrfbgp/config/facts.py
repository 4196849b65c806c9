"""What the machine itself says about this node, for the defaults of the config."""

from __future__ import annotations

from dataclasses import dataclass

from vrfbgp.model import IPAddress


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The addresses are those of the interface of main's default route."""

    hostname: str
    ipv4: IPAddress | None = None
    ipv6: IPAddress | None = None
