"""The daemon as an ordinary user with CAP_NET_ADMIN alone, and what it tells systemd (sd_notify(3))."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.netns.manifests import OURS, Manifest, peer
from labs.netns.topology import LOCAL_AS, SERVED, masquerade
from labs.netns.waiting import wait_for
from tests.netns.test_passive import calls
from tests.netns.test_privileges import CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, capabilities
from tests.netns.unprivileged import COLLEAGUE, GROUP, STRANGER, USER, Unprivileged, status_of
from tests.netns.world import World

PASSWORD = "quiet!word"
SECRET: Manifest = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "bgp", "namespace": "calico-system"},
    "stringData": {"red": PASSWORD},
}


class Listener:
    """The socket that systemd would listen on; all that was told so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        path.chmod(0o666)

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        """The words in order, those of one datagram one after the other."""
        while True:
            try:
                self.told += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.told

    def wait(self, word: str, times: int = 1) -> None:
        """Wait until a word was told so often."""
        wait_for(
            lambda: sum(told.startswith(word) for told in self.heard()) >= times,
            describe=lambda: f"{times} times {word} in {self.told}",
        )


@pytest.fixture
def listener(world: World) -> Iterator[Listener]:
    made = Listener(world.topology.lab.directory / "notify")
    yield made
    made.close()


def test_an_ordinary_user_with_one_capability_is_enough(world: World, listener: Listener) -> None:
    """TCP MD5, TTL security and sessions bound to their device need none; asking netfilter needs that one."""
    masquerade(world.node, "red0")
    unprivileged = Unprivileged(world)
    world.save_basics()
    password = {"secretKeyRef": {"name": "bgp", "key": "red"}}
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", world.red.router_address, LOCAL_AS, password=password, ttlSecurity=1),
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )
    world.config.save("secret.yaml", SECRET)
    router = world.red.router
    router.configure(
        f"router bgp {router.asn}",
        f"neighbor NODES password {PASSWORD}",
    )
    process = unprivileged.start("net_admin", NOTIFY_SOCKET=str(listener.path), WATCHDOG_USEC="400000")
    listener.wait("READY=1")
    world.wait_working("red", "yellow")
    if shutil.which("nft"):
        world.wait_told("masqueraded", "default/red", "chain out")

    writer = world.writer_process()
    for pid in world.daemon_processes():
        status = status_of(pid)
        assert status["Uid"].split() == [str(USER)] * 4
        assert status["Gid"].split() == [str(GROUP)] * 4
        assert status["NoNewPrivs"] == "1"
        assert capabilities(pid) == ({CAP_NET_ADMIN} if pid == writer else set()), status["Name"]
    assert len(world.daemon_processes()) >= 5  # daemon, writer, what speakers are forked from, two speakers

    listener.wait("WATCHDOG=1", listener.heard().count("WATCHDOG=1") + 3)
    listener.wait("STATUS=networks: 2, sessions up: 2 of 2, routes: 2")
    assert "RELOADING=1" not in listener.told

    assert unprivileged.ask_as(COLLEAGUE, GROUP, "status", "--json").returncode == 0
    refused = unprivileged.ask_as(STRANGER, STRANGER, "status")
    assert refused.returncode == 3
    assert "may not be used by this user" in refused.stderr
    secrets = [path for path in world.daemon.run_directory.rglob("*") if path.is_file()]
    secrets += [path for path in world.daemon.state_directory.rglob("*") if path.is_file()]
    assert secrets
    shown = unprivileged.run_as(COLLEAGUE, GROUP, ["cat", *map(str, secrets)])
    assert PASSWORD not in shown.stdout

    told = json.loads(unprivileged.ask_as(COLLEAGUE, GROUP, "reload", "--json").stdout)
    assert told == {"changed": False, "refused": []}
    process.signal(signal.SIGHUP)
    listener.wait("RELOADING=1", 2)
    listener.wait("MONOTONIC_USEC=", 2)
    listener.wait("READY=1", 3)
    assert process.stop() == 0
    listener.wait("STOPPING=1")
    assert listener.heard()[-2] == "STOPPING=1"
    assert world.route(500, SERVED) is not None


def test_a_capability_by_the_file_is_enough_too_and_nothing_else_is_written_to(world: World) -> None:
    """As in a container with a read-only root: Kubernetes gives an ordinary user no capabilities."""
    unprivileged = Unprivileged(world)
    world.save_basics()
    unprivileged.start_by_file("net_admin")
    world.wait_working("red", "yellow")
    writer = world.writer_process()
    for pid in world.daemon_processes():
        assert status_of(pid)["Uid"].split() == [str(USER)] * 4
        assert capabilities(pid) == ({CAP_NET_ADMIN} if pid == writer else set())
        root = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        assert any(line.split()[4] == "/" and line.split()[5].startswith("ro") for line in root)


def passive_peer(world: World) -> None:
    """Config in which red's router is to call, on port 179."""
    world.save_basics()
    passive = peer("red-1", "red", world.red.router_address, LOCAL_AS, api_version=OURS, passive=True)
    world.config.save("peers.yaml", passive, peer("yellow-1", "yellow", world.yellow.router_address, 63400))


def wait_listening(world: World) -> None:
    """Wait until somebody waits for red's router, and see that nobody may who hears what it says."""
    own = world.red.node_address
    wait_for(lambda: world.node.run("ss", "-Hltn", f"src {own}:179").strip(), describe=world.describe)
    writer = world.writer_process()
    for pid in world.daemon_processes():
        allowed = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE} if pid == writer else set()
        assert capabilities(pid) == allowed, status_of(pid)["Name"]


def test_passive_sessions_need_one_capability_more_and_say_so(world: World) -> None:
    unprivileged = Unprivileged(world)
    passive_peer(world)
    process = unprivileged.start("net_admin")
    world.wait_told("red-1", "CAP_NET_BIND_SERVICE")
    assert not world.node.run("ss", "-Hltn", f"src {world.red.node_address}:179").strip()
    process.stop()
    unprivileged.start("net_admin", "net_bind_service")
    wait_listening(world)
    calls(world.red.router, world.red.node_address)
    world.wait_working("red", "yellow")


def test_a_file_that_may_give_both_gives_what_the_container_is_allowed(world: World) -> None:
    unprivileged = Unprivileged(world)
    passive_peer(world)
    unprivileged.start_by_file("net_admin", "net_bind_service")
    wait_listening(world)
