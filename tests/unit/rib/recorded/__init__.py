"""UPDATEs as other daemons really send them, one a line, in hex; `-as2` where AS numbers have two octets.

Each was recorded from its first UPDATE to its last by a peer in AS 64512. All announce the same few routes
with different attributes, as far as the daemon can; GoBGP withdraws two of them in the end.
"""

from __future__ import annotations

from pathlib import Path

FILES = tuple(sorted(Path(__file__).parent.glob("*.hex")))


def messages(file: Path) -> list[bytes]:
    """The messages of one file, headers included."""
    lines = file.read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def four_octet(file: Path) -> bool:
    """Whether AS numbers had four octets in that session."""
    return file.stem.endswith("as4")
