"""The steps of the demo, in the order in which they are told. Each proves what it shows, or ends the demo."""

from __future__ import annotations

from labs.demo.stage import Stage
from labs.demo.voice import relative
from labs.netns.topology import SERVED, SERVER

PICTURE = """\
                                     ┌─────────── node ───────────┐
 server 105.8.10.1 ─ router red ─────┤ red0    table 500 ◀─ rule ─┼─ gateway red    10.50.0.2 ── client
         AS 64512    172.16.1.140    │                            │
 server 105.8.10.1 ─ router yellow ──┤ yellow0 table 501 ◀─ rule ─┼─ gateway yellow 10.50.0.4
         AS 63400    172.16.2.140    │                            │
            cluster's own fabric ────┤ eth0    table main         ├─ pod 10.48.0.9, no gateway
                                     └────────────────────────────┘
"""


def build(stage: Stage) -> None:
    """The node, its two external networks with FRR, the workloads."""
    stage.voice.step("Build two networks with the same addresses: network namespaces, FRR as the routers")
    stage.voice.say(PICTURE)
    stage.topology.start()
    # The cluster's own fabric knows nothing of the external networks, as it is in life, and says so.
    fabric = stage.topology.fabric
    fabric.ip(f"addr del {SERVER}/32 dev lo", f"route add unreachable {SERVED}")
    fabric.sysctl(ipv4__ip_forward=1)
    stage.voice.say("The names of the namespaces begin with that of the lab, which is $lab below:")
    stage.voice.say(f"lab={stage.lab.name}")


def before(stage: Stage) -> None:
    """Nothing of ours yet: no gateway gets through."""
    stage.voice.step(f"Before: {SERVER} is there twice, and no gateway reaches either")
    stage.must_fail(stage.workload("red"), "gateway red")


def start(stage: Stage) -> None:
    """Run the daemon with the config."""
    config = stage.daemon.config.path
    stage.voice.step(f"Run the daemon, with the manifests in {relative(config)}")
    for path in sorted(config.glob("*.y*ml")):
        stage.voice.say(relative(path))
    stage.daemon.start()
    stage.voice.command(stage.running, background=True)


def sessions(stage: Stage) -> None:
    """Tell each change of a session until all are up and their routes are in the tables."""
    stage.voice.step("The BGP sessions come up, and bring routes")
    told: dict[str, str] = {}

    def all_up() -> bool:
        networks = stage.daemon.status()["networks"]
        for network in networks:
            for peer in network["peers"]:
                name = f"{network['name']:<8}{peer['address']:<16}"
                if told.get(name) != peer["state"]:
                    told[name] = peer["state"]
                    stage.voice.say(f"{stage.voice.elapsed():5.1f} s  {name}{peer['state']}")
        return bool(networks) and all(network["in_sync"] and network["routes"] for network in networks)

    stage.wait(all_up, "every network is in sync and has routes")
    for site in stage.topology.sites:
        stage.wait(lambda site=site: stage.learned(site), f"{SERVED} in table {site.table}")  # type: ignore[misc]


def kernel(stage: Stage) -> None:
    """What the kernel holds now."""
    stage.voice.step("What the kernel holds: a table for each network, rules that lead its gateways there")
    for words in ("route show table 500", "route show table 501", "rule"):
        stage.show(["ip", "-n", stage.node.name, *words.split()])


def ask(stage: Stage) -> None:
    """What the daemon tells of itself."""
    stage.voice.step("What the daemon tells")
    stage.say_environment()
    stage.show(stage.asking("status"))
    stage.show(stage.asking("explain", "--from", stage.topology.workloads["red"].address, SERVER))


def traffic(stage: Stage) -> None:
    """A request from each gateway to the same address, from a client behind one, and from a pod."""
    stage.voice.step(f"The same address from each gateway: http://{SERVER}/ tells its banner, and who asked")
    addresses = {name: workload.address for name, workload in stage.topology.workloads.items()}
    for name in ("red", "yellow"):
        stage.must_answer(stage.workload(name), f"gateway {name}", name, addresses[name])
    stage.must_answer(stage.topology.client, "client behind gateway red", "red", addresses["red"])
    stage.must_fail(stage.workload("pod"), "pod that is no gateway")


def closed(stage: Stage) -> None:
    """A network without a route: its gateway is unreachable, and takes no other way out."""
    stage.voice.step("Fail closed: router red withdraws its route, and gateway red has no other way out")
    red = stage.topology.red
    yellow = stage.topology.workloads["yellow"]
    red.router.withdraw(SERVED)
    stage.wait(lambda: not stage.learned(red), f"{SERVED} leaves table {red.table}")
    stage.show(["ip", "-n", stage.node.name, "route", "show", "table", str(red.table)])
    stage.must_fail(stage.workload("red"), "gateway red")
    stage.must_answer(yellow.namespace, "gateway yellow", "yellow", yellow.address)
    red.router.announce(SERVED)
    stage.wait(lambda: stage.learned(red), f"{SERVED} comes back to table {red.table}")
    stage.voice.say("The router announces it again, and it is back in the table.")


STEPS = (build, before, start, sessions, kernel, ask, traffic, closed)


def look_around(stage: Stage) -> None:
    """How to use a demo that is left running."""
    voice, node, switch = stage.voice, stage.node.name, stage.topology.red.switch.name
    vty = str(stage.topology.red.router.directory)
    voice.step("It is left running. In a shell, in this directory, as root:")
    voice.say(f"lab={stage.lab.name}")
    for name, value in stage.environment.items():
        voice.say(voice.written(["export", f"{name}={value}"]))
    for what, argv in (
        ("ask the daemon", stage.asking("status")),
        ("", stage.asking("routes", "red")),
        ("", stage.asking("explain", "--from", stage.topology.workloads["red"].address, SERVER)),
        ("prove isolation", ["ip", "netns", "exec", node, *stage.asking("verify")]),
        ("read its log", ["tail", "-f", str(stage.log_file)]),
        ("see the kernel", ["ip", "-n", node, "route", "show", "table", "500"]),
        ("", ["ip", "-n", node, "rule"]),
        ("be a gateway", ["ip", "netns", "exec", stage.workload("red").name, "curl", f"http://{SERVER}/"]),
        ("be the node", ["ip", "netns", "exec", node, "bash"]),
        ("be router red", ["vtysh", "--vty_socket", vty, "--config_dir", vty]),
        ("cut its link", ["ip", "-n", switch, "link", "set", "node", "down"]),
        ("mend its link", ["ip", "-n", switch, "link", "set", "node", "up"]),
        ("change the config", ["nano", f"{relative(stage.daemon.config.path)}/networks.yaml"]),
        ("end it", ["make", "demo-stop"]),
    ):
        voice.say(f"{what:<19}{voice.written(argv)}")
    voice.say("The daemon follows each save. A bad edit changes nothing; `status` then says what is wrong.")
