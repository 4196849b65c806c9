"""P18–P20: each option of a BGPPeer on a session of its own with FRR, many of them in one world."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from labs.netns.frr import Router
from labs.netns.manifests import OURS, Manifest, peer
from labs.netns.topology import FAR_SERVED, LOCAL_AS
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import NODE_NAME, World

SOURCE = "172.16.1.10"
GATEWAY = "10.50.0.2/32"


class Options:
    """Routers of network red, each for one peer with the options that a test is about."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.peers: dict[str, Manifest] = {}
        self.routers: dict[str, Router] = {}
        self._host = 141

    def add(
        self,
        name: str,
        *config: str,
        asn: int = 0,
        announces: tuple[str, ...] = (),
        address: str = "{}",
        port: int = 179,
        **spec: Any,
    ) -> Router:
        """One more router with these lines in `router bgp`, and its BGPPeer; `address` is filled in."""
        host, self._host = self._host, self._host + 1
        router = self.world.topology.add_router(self.world.red, host, asn or 65000 + host, serve=False)
        if announces or port != 179:
            router.stop()
            router.port = port
            router.start(*announces)
        if config:
            router.configure(f"router bgp {router.asn}", *config)
        self.routers[name] = router
        at = address.format(self.world.red.address(host))
        self.peers[name] = peer(name, "red", at, router.asn, api_version=OURS, **spec)
        return router

    def save(self, **changed: Any) -> None:
        """Write all peers; `changed` has other fields for some, by name."""
        peers = [one | {"spec": one["spec"] | changed.get(name, {})} for name, one in self.peers.items()]
        self.world.config.save("options.yaml", *peers)

    def start(self) -> None:
        self.world.save_basics()
        self.save()
        self.world.daemon.start()

    def wait_up(self, *names: str, source: str = SOURCE) -> None:
        """Wait until these sessions are up, and the gateway is known to the routers by its next hop self."""
        for name in names or self.routers:
            router = self.routers[name]
            wait_for(partial(router.established, source), describe=partial(self.describe, name))
            wait_for(
                lambda router=router: router.received().get(GATEWAY) == {source},  # type: ignore[misc]
                describe=partial(self.describe, name),
            )

    def describe(self, name: str) -> str:
        self.world.alive()
        return f"{name}: {self.routers[name].describe()}{self.world.daemon.ask('status').stdout}"

    def neighbor(self, name: str) -> dict[str, Any]:
        """What the router tells of the node."""
        return self.routers[name].neighbor(SOURCE)

    def status(self, name: str) -> dict[str, Any]:
        """What the daemon tells of the router."""
        found = [one for one in self.world.network_status("red")["peers"] if one["name"] == name]
        assert len(found) == 1, f"status has no single peer {name}"
        return dict(found[0])


@pytest.fixture
def options(world: World) -> Options:
    """Topology A, without a daemon, and no option yet."""
    return Options(world)


def statistics(options: Options, name: str, counter: str) -> int:
    """A counter of messages of the router's session."""
    return int(options.neighbor(name)["messageStats"][counter])


def test_p20_as_numbers_ports_and_next_hops(options: Options) -> None:
    world = options.world
    remote = "neighbor NODES remote-as {}".format
    options.add("local", remote(65200), localASNumber=65200)
    options.add("dotted", remote(65556), asn=65546, localASNumber="1.20")
    options.peers["dotted"]["spec"]["asNumber"] = "1.10"
    options.add("internal", remote(65203), "no neighbor NODES ebgp-multihop", asn=65203, localASNumber=65203)
    port = options.add("port", port=1790, address="{}:1790")
    add_ipv6(options, port)
    own = {"once": [LOCAL_AS], "twice": [LOCAL_AS, 65300, LOCAL_AS]}
    loops = {"once": "198.51.100.0/25", "twice": "198.51.100.128/25"}
    for name in ("refuses", "allows"):
        router = options.add(name, numAllowedLocalASNumbers=int(name == "allows"))
        for times, path in own.items():
            router.announce(loops[times], prepend=path)
    options.add("self", nextHopMode="Self")
    options.add("keep", nextHopMode="Keep")
    options.add("original", keepOriginalNextHop=True)
    options.add("node", node=NODE_NAME)
    options.add("selected", nodeSelector="kubernetes.io/os == 'linux'")
    elsewhere = options.add("elsewhere", node="node-7")
    options.start()
    options.wait_up(*(options.routers.keys() - {"elsewhere"}))

    assert options.neighbor("local")["remoteAs"] == 65200
    assert path_of(options, "local") == "65200"
    assert path_of(options, "dotted") == "65556"
    assert options.status("dotted")["as"] == 65546
    assert options.neighbor("internal")["nbrInternalLink"] is True
    assert path_of(options, "internal") == ""
    assert options.status("internal")["internal"] is True
    told = options.status("port")
    assert (told["port"], told["endpoint"]) == (1790, f"{told['address']}:1790")
    world.wait_route(world.red, SERVED_BY_PORT6, PORT6)
    assert options.status("port6")["endpoint"] == f"[{PORT6}]:1790"

    allows, refuses = (world.red.address(host) for host in (146, 145))
    world.wait_route(world.red, loops["once"], allows)
    assert options.status("allows")["refused"] == {"own-as": 1}
    # FRR also sends the gateway's address back to us.
    assert (options.status("refuses")["accepted"], options.status("refuses")["refused"]) == (0, {"own-as": 3})
    assert refuses not in world.gateways_of(world.red, loops["once"])
    assert world.route(world.red, loops["twice"]) is None
    assert not elsewhere.neighbors()
    # The edit holds for what was received, and costs no session.
    options.save(refuses={"numAllowedLocalASNumbers": 2}, allows={"numAllowedLocalASNumbers": 0})
    world.wait_route(world.red, loops["once"], refuses)
    world.wait_route(world.red, loops["twice"], refuses)
    for name in ("refuses", "allows"):
        assert options.routers[name].sessions_begun(SOURCE) == 1


PORT6, SERVED_BY_PORT6 = "fd00:1::1790", "2001:db8:1790::/48"


def add_ipv6(options: Options, router: Router) -> None:
    """The router has a session over IPv6 as well, on the same port."""
    options.world.node.ip("addr add fd00:1::10/64 dev red0 nodad")
    router.namespace.ip(f"addr add {PORT6}/64 dev eth0 nodad")
    router.configure(
        f"router bgp {router.asn}",
        "neighbor NODES6 peer-group",
        f"neighbor NODES6 remote-as {LOCAL_AS}",
        "bgp listen range fd00:1::/64 peer-group NODES6",
        "address-family ipv6 unicast",
        "neighbor NODES6 activate",
        f"network {SERVED_BY_PORT6}",
    )
    options.peers["port6"] = peer("port6", "red", f"[{PORT6}]:1790", router.asn)


def path_of(options: Options, name: str) -> str:
    """The AS_PATH with which the router has the gateway's address."""
    (path,) = options.routers[name].ask(f"show bgp ipv4 unicast {GATEWAY}")["paths"]
    return str(path["aspath"]["string"]).replace("Local", "")


def test_p20_timers_refresh_and_long_messages(options: Options) -> None:
    many = [f"198.{18 + n // 256}.{n % 256}.0/24" for n in range(3000 // 8)]
    prefixes = tuple(f"{net.rsplit('.', 1)[0]}.{32 * part}/27" for net in many for part in range(8))
    options.add("hold", holdTime="30s")
    options.add("endless", "timers bgp 0 0", holdTime="0s")
    options.add("lively", holdTime="90s", keepaliveTime="1s")
    options.add("slow", keepaliveTime="60s")
    options.add("restart", maxRestartTime="77s")
    options.add("restartless", maxRestartTime="0s")
    options.add("long", announces=prefixes)
    refreshed = "no neighbor NODES soft-reconfiguration inbound"
    options.add("refresh", "address-family ipv4 unicast", refreshed)
    options.start()
    options.wait_up()

    holds = {name: options.neighbor(name)["bgpTimerHoldTimeMsecs"] for name in ("hold", "endless", "slow")}
    assert holds == {"hold": 30_000, "endless": 0, "slow": 180_000}
    assert [options.status(name)["hold_time"] for name in holds] == [30, 0, 180]
    wait_for(partial(more, options, "lively", "keepalivesRecv", 4), 20, "a KEEPALIVE each second")

    assert options.neighbor("restart")["gracefulRestartInfo"]["timers"]["receivedRestartTimer"] == 77
    assert "received" in options.neighbor("restart")["neighborCapabilities"]["gracefulRestart"].lower()
    assert "gracefulRestart" not in options.neighbor("restartless")["neighborCapabilities"]

    wait_for(lambda: options.status("long")["accepted"] == len(prefixes), describe="all prefixes")
    assert options.neighbor("long")["neighborCapabilities"]["extendedMessage"] == "advertisedAndReceived"
    octets = 5 * len(prefixes)
    assert statistics(options, "long", "updatesSent") < octets / 4096, "some are longer than 4096 octets"

    # RFC 2918, RFC 7313: the router asks, and is told again, without a new session.
    before = statistics(options, "refresh", "updatesRecv")
    options.routers["refresh"].vtysh("clear bgp ipv4 unicast * soft in")
    wait_for(partial(more, options, "refresh", "updatesRecv", before + 1), describe="the routes once more")
    assert statistics(options, "refresh", "routeRefreshSent") >= 1
    options.wait_up("refresh")
    assert options.routers["refresh"].sessions_begun(SOURCE) == 1


def alone() -> tuple[str, ...]:
    """A neighbor of its own: FRR does not set the TTL of one that comes by a range."""
    own = f"neighbor {SOURCE} peer-group NODES", f"neighbor {SOURCE} passive"
    return "no neighbor NODES ebgp-multihop", *own


def secured(hops: int) -> tuple[str, ...]:
    return *alone(), f"neighbor {SOURCE} ttl-security hops {hops}"


def comes_to(options: Options, name: str, state: str) -> bool:
    """Whether a session has come this far, and no further."""
    return bool(options.status(name)["state"] == state)


def failed(options: Options, name: str, how: str) -> bool:
    """Whether a try of the session has failed so, and the advice names what may be wrong."""
    told = options.status(name)
    return how in str(told["last_error"]).lower() and "ttlSecurity" in str(told["advice"])


def more(options: Options, name: str, counter: str, count: int) -> bool:
    """Whether a counter of the router's has come so far."""
    return statistics(options, name, counter) >= count


def test_p19_ttl_security_next_door_and_two_hops_away(options: Options) -> None:
    """GTSM (RFC 5082), with a router that drops what comes from further away."""
    world = options.world
    options.add("near", *secured(1), holdTime="3s")
    options.add("unsecured", *alone(), f"neighbor {SOURCE} ebgp-multihop 2", ttlSecurity=1)
    far, address = world.topology.add_far_router(world.red, 65077)
    far.configure("router bgp 65077", *secured(2))
    options.routers["far"] = far
    spec = {"api_version": OURS, "reachableBy": world.red.router_address, "ttlSecurity": 1}
    options.peers["far"] = peer("far", "red", address, 65077, **spec)
    far.announce(FAR_SERVED)
    options.start()
    world.wait_working("red")
    # They drop what comes with a TTL of less than 255, 254; so do we, of the far one already the handshake.
    for name, state in (("near", "openconfirm"), ("unsecured", "opensent"), ("far", "connect")):
        wait_for(partial(comes_to, options, name, state), 30, partial(options.describe, name))
    stays_true(lambda: not any(router.established() for router in options.routers.values()), 1.5)
    wait_for(partial(failed, options, "far", "timed out"), 30, partial(options.describe, "far"))
    wait_for(partial(failed, options, "near", "hold timer"), 30, partial(options.describe, "near"))
    options.save(
        near={"ttlSecurity": 1, "holdTime": "90s"}, far={"ttlSecurity": 2}, unsecured={"ttlSecurity": 255}
    )
    options.wait_up()
    world.wait_route(world.red, FAR_SERVED, world.red.router_address)
