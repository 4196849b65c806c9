"""What had no room is asked for again when there is (ROUTE-REFRESH), over the session that is up."""

from __future__ import annotations

import asyncio

import pytest

from labs.netns.manifests import OURS, network
from labs.netns.topology import SERVED
from labs.netns.waiting import wait_for
from tests.netns.speaker_lab import ASN4, ENHANCED_REFRESH, FAMILIES, Lab, acquainted, capability, session
from tests.netns.test_limits import MANY, learned, save_limited
from tests.netns.world import World
from vrfbgp.events import SessionUp
from vrfbgp.model import Family
from vrfbgp.requests import RequestRefresh

PEER = session().peer
PLAIN_REFRESH = capability(2)


@pytest.mark.parametrize("capabilities", [ENHANCED_REFRESH, PLAIN_REFRESH])
def test_a_refresh_is_asked_for_in_each_family_and_only_of_a_session(lab: Lab, capabilities: bytes) -> None:
    async def scenario() -> None:
        async with acquainted(lab, FAMILIES + ASN4 + capabilities) as (peer, speaker):
            up = await speaker.expect(SessionUp)
            assert up.negotiated.route_refresh
            speaker.speaker.send(RequestRefresh(PEER, Family.IPV4))
            # A description changes: what is not sent yet survives a reload that ends no session.
            speaker.speaker.send(RequestRefresh(PEER, Family.IPV6))
            speaker.speaker.configure((session(keepalive_time=11),))
            assert await peer.read() == (5, b"\0\1\0\1")
            assert await peer.read() == (5, b"\0\2\0\1")

    asyncio.run(scenario())


def test_x11_what_had_no_room_comes_when_the_limit_is_raised_without_a_new_session(world: World) -> None:
    save_limited(world, limit=10, action="Drop")
    world.start()
    router = world.red.router
    router.announce(*MANY)
    world.wait_told("max-prefixes", "asked to send all again")
    wait_for(lambda: len(learned(world)) == 10, describe=lambda: str(learned(world)))
    save_limited(world, limit=20, action="Drop")
    every = {SERVED, *MANY}
    wait_for(lambda: learned(world) == every, describe=lambda: f"all of them; {learned(world)}")
    # The same for the network's own limit; and what had no room may have it when others go.
    world.config.save(
        "networks.yaml", network("red", 500, api_version=OURS, maxRoutes=14), network("yellow", 501)
    )
    world.wait_told("near-limit", "the 14 prefixes")
    router.announce("192.0.2.0/26", "192.0.2.64/26", "192.0.2.128/26")
    world.wait_told("max-routes", "more than 14 prefixes")
    assert len(learned(world)) == 14
    router.withdraw(*MANY[:8])
    more = {"192.0.2.0/26", "192.0.2.64/26", "192.0.2.128/26"}
    now = every - set(MANY[:8]) | more
    wait_for(lambda: learned(world) == now, describe=lambda: f"{now}; {learned(world)}")
    assert router.sessions_begun(world.red.node_address) == 1
    assert world.yellow.router.sessions_begun(world.yellow.node_address) == 1
