"""What the running daemon tells of itself: events, metrics, health, and never a secret."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request

from labs.netns.daemon import environment, vrfbgp
from labs.netns.manifests import Manifest
from labs.netns.topology import LOCAL_AS, SERVED
from labs.netns.waiting import wait_for
from tests.netns.world import PROTOCOL, World

LISTEN = "127.0.0.1:9179"
PASSWORD = "hunter2-never-seen"
NOWHERE = "203.0.113.1"


def get(world: World, path: str) -> tuple[int, str]:
    """Status and body of a path of the daemon, asked in its namespace."""

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{LISTEN}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except urllib.error.URLError as error:
            return 0, str(error)

    return world.node.inside(ask)


def value(world: World, name: str, **labels: str) -> float | None:
    """What a metric says."""
    for line in get(world, "/metrics")[1].splitlines():
        found = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if found and dict(re.findall(r'(\w+)="([^"]*)"', found[1] or "")) == labels:
            return float(found[2])
    return None


def secret(password: str) -> Manifest:
    """The Secret `bgp`."""
    encoded = base64.b64encode(password.encode()).decode()
    metadata = {"name": "bgp", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": encoded}}


def test_events_metrics_and_health_follow_what_happens_and_no_secret_is_told(world: World) -> None:
    red = {"network": "red", "peer": "red-1", "address": world.red.router_address}
    reference = {"secretKeyRef": {"name": "bgp", "key": "password"}}
    world.save_basics(password=reference)
    world.config.save("secret.yaml", secret(PASSWORD))
    world.red.router.configure(f"router bgp {LOCAL_AS}", f"neighbor NODES password {PASSWORD}")
    world.daemon.start("env", f"VRFBGP_LISTEN={LISTEN}", "VRFBGP_LOG_LEVEL=debug")
    world.wait_route(world.red, SERVED, world.red.router_address)
    wait_for(lambda: get(world, "/readyz")[0] == 200, 90, lambda: str(get(world, "/readyz")))
    assert get(world, "/livez") == (200, "core: ok\nconfig: ok\nkernel: ok\ncontrol: ok\n")
    assert get(world, "/nothing")[0] == 404
    assert value(world, "vrfbgp_peer_up", **red) == 1
    assert value(world, "vrfbgp_network_routes", network="red", family="ipv4") == 1
    assert value(world, "vrfbgp_network_routes_pending", network="red", family="ipv4") == 0
    assert value(world, "vrfbgp_gateway_state", gateway="default/red", state="ok") == 1

    # Packets that fail closed are counted by the kernel, for the namespace as a whole.
    before = value(world, "vrfbgp_node_no_route_packets_total", family="ipv4")
    assert before is not None
    world.wait_outcome("red", "unreachable", address=NOWHERE)
    after = value(world, "vrfbgp_node_no_route_packets_total", family="ipv4")
    assert after is not None
    assert after > before

    # They are an event, too, that says where to look.
    asked = ("events", "--code", "failclosed.hit")
    wait_for(lambda: "of IPv4" in world.daemon.ask(*asked).stdout, 20, describe="the packets are told")

    # A config that is refused: told, and no reason to be restarted or to get no traffic.
    world.config.save("bad.yaml", f"kind: Secret\nmetadata: {{name: x}}\ndata: [{PASSWORD}")
    wait_for(lambda: value(world, "vrfbgp_config_refused") == 1, describe="the refusal is counted")
    assert get(world, "/readyz")[0] == 200
    assert world.daemon.status()["config"]["result"] == "refused"
    world.config.remove("bad.yaml")
    wait_for(lambda: value(world, "vrfbgp_config_refused") == 0, describe="the refusal is over")

    # Somebody meddles, and the router says goodbye.
    world.node.ip(f"rule del priority 103 from 10.50.0.2/31 protocol {PROTOCOL} unreachable")
    wait_for(lambda: value(world, "vrfbgp_kernel_repairs_total", kind="rules") == 1, describe="the repair")
    world.red.router.stop()
    wait_for(lambda: value(world, "vrfbgp_peer_up", **red) == 0, describe="the session is down")
    assert get(world, "/livez")[0] == 200

    done = world.daemon.ask("events", "-n", "1000", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    codes = [event["code"] for event in told]
    expected = [
        "daemon.started",
        "config.applied",
        "peer.up",
        "config.refused",
        "kernel.repaired",
        "peer.down",
    ]
    assert [code for code in codes if code in expected][:2] == expected[:2], codes
    assert set(expected) <= set(codes), codes
    assert value(world, "vrfbgp_events_total", code="peer.down") == codes.count("peer.down")
    of_red = world.daemon.ask("events", "--network", "red", "--code", "peer.*").stdout
    assert "peer.down" in of_red
    assert "yellow" not in of_red

    run = str(world.daemon.run_directory)
    follow = world.node.start(
        "follow", *vrfbgp("events", "--follow", "--json", "--run-dir", run), environment=environment()
    )
    wait_for(lambda: "peer.down" in follow.output(), describe=follow.output)
    assert world.daemon.stop() == 0
    world.daemon.start("env", "VRFBGP_LOG_FORMAT=json", "VRFBGP_LOG_LEVEL=debug")
    world.wait_logged('"code": "peer.up"', "yellow")
    wait_for(lambda: follow.output().count("daemon.started") == 2, describe=follow.output)
    follow.stop()
    asked = ["status", "events", "reload", "schema", "routes red --received", "explain red 105.8.10.0/24"]
    said = [world.daemon.ask(*words.split()) for words in asked]
    said += [world.daemon.ask(*words.split(), "--json") for words in asked[:2]]
    heard = "".join(done.stdout + done.stderr for done in said)
    for form in (PASSWORD, secret(PASSWORD)["data"]["password"]):
        assert form not in heard
        assert form not in world.daemon.log()
