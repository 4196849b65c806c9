"""What BIRD, FRR and GoBGP send is understood, with two- and four-octet AS numbers, to the same routes."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.unit.rib import recorded
from tests.unit.rib.sessions import decoder, one_update
from vrfbgp.model import Attributes, Family, Origin, network_of

IGP, INCOMPLETE = Origin.IGP, Origin.INCOMPLETE
BIG = 4200000001
"""An AS that takes four octets: with two, it comes by AS4_PATH."""


def route(
    origin: Origin, *more: int, med: int | None = None, tagged: bool = False, six: bool = False
) -> Attributes:
    """Attributes of a recorded route; `more` ASes behind 64501."""
    return Attributes(
        next_hop=ip_address("fd00::1" if six else "10.0.0.1"),
        origin=origin,
        as_path=((2, (64501, *more)),),
        med=med,
        communities=((64501, 7), (65535, 65281)) if tagged else (),
        large_communities=((64501, 1, 2),) if tagged else (),
    )


TABLES: dict[str, dict[str, Attributes]] = {
    "bird": {
        "0.0.0.0/0": route(IGP),
        "198.51.100.7/32": route(IGP, 64998, 64999),
        "10.128.0.0/9": route(INCOMPLETE),
        "105.8.10.0/24": route(IGP, BIG, tagged=True),
        "::/0": route(IGP, six=True),
        "2001:db8:10::/48": route(IGP, med=6, six=True),
    },
    "frr": {
        "0.0.0.0/0": route(IGP, med=0),
        "198.51.100.7/32": route(IGP, med=0),
        "10.128.0.0/9": route(INCOMPLETE, med=0),
        "105.8.10.0/24": route(IGP, BIG, med=5, tagged=True),
        "::/0": route(IGP, med=6, six=True),
        "2001:db8:10::/48": route(IGP, med=6, six=True),
        "2001:db8::1/128": route(IGP, med=6, six=True),
    },
    "gobgp": {
        "0.0.0.0/0": route(INCOMPLETE),
        "10.128.0.0/9": route(INCOMPLETE),
        "105.8.10.0/24": route(INCOMPLETE, BIG, med=5, tagged=True),
        "2001:db8:10::/48": route(INCOMPLETE, med=6, six=True),
    },
}


@pytest.mark.parametrize("file", recorded.FILES, ids=lambda file: file.stem)
def test_recorded(file: Path) -> None:
    by, table, ended = decoder(asn4=recorded.four_octet(file)), dict[str, Attributes](), set[Family]()
    for message in recorded.messages(file):
        update = one_update(message, by)
        for gone in update.withdrawn:
            for nlri in gone.nlri:
                del table[str(network_of(gone.family, nlri))]
        for run in update.announced:
            table |= {str(network_of(run.family, nlri)): run.attributes for nlri in run.nlri}
        if update.end_of_rib is not None:
            ended.add(update.end_of_rib)
    if file.stem.startswith("bird"):
        assert table.pop("2001:db8::1/128").communities == ((64501, 8),)
    assert table == TABLES[file.stem.split("-")[0]]
    assert ended == set(Family)
    assert not by.faults


def test_all_were_looked_at() -> None:
    assert len(recorded.FILES) == 2 * len(TABLES)
