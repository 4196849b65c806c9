"""What each line of a script does.

A line is a few words, and means the same whoever wrote it: chance, or a person who makes a script shorter.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from labs.netns.supervisor import processes_in
from labs.netns.waiting import wait_for
from tests.isolation.real.arena import PLACES, WIRES, fixed
from tests.isolation.real.kernel import OURS
from tests.isolation.real.plot import BAD
from tests.isolation.real.routers import Said
from tests.isolation.real.stage import PATIENCE, Stage
from tests.isolation.real.uptimes import Uptimes
from vrfbgp.control import NotAnswered, ask


class Deeds:
    """All of them, on one stage. The first word of a line names the method, whose docstring is its form."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._sessions = stage, stage.sessions
        self._uptimes = Uptimes(stage.daemon.log)

    def perform(self, line: str) -> None:
        """Do what a line says, and wait until all has come to rest. Raises Broken."""
        words = line.split()
        deed = getattr(self, f"_do_{words[0]}", None)
        assert deed is not None, f"nobody knows how to {line}"
        watch = self._uptimes.before(words, self._sessions.down)
        deed(*words[1:])
        self._stage.sessions.follow()
        self._stage.rest()
        self._uptimes.after(watch)

    def _do_announce(self, name: str, prefix: str, *more: str) -> None:
        """announce ROUTER PREFIX [via HOST] [path AS,AS]"""
        words = dict(zip(more[::2], more[1::2], strict=True))
        path = tuple(int(asn) for asn in words.get("path", "").split(",") if asn)
        said = Said(words.get("via", ""), path)
        self._sessions.said[name][prefix] = said
        self._tell(name)

    def _do_withdraw(self, name: str, prefix: str) -> None:
        """withdraw ROUTER PREFIX"""
        self._sessions.said[name].pop(prefix, None)
        self._tell(name)

    def _tell(self, name: str) -> None:
        if self._stage.routers[name].running:
            self._stage.judge.look()
            self._stage.routers[name].tell(self._sessions.said[name])
        self._sessions.hear()

    def _do_router(self, name: str, what: str) -> None:
        """router ROUTER start|kill|stop"""
        router = self._stage.routers[name]
        if what == "start" and not router.running:
            router.start(self._sessions.said[name])
        elif what in ("kill", "stop") and router.running:
            begun = time.monotonic()
            router.kill() if what == "kill" else router.stop()
            self._sessions.ended(name, begun, by_a_word=what == "stop")

    def _mended(self, device: str) -> None:
        """A wire is up again: what was last heard by it holds, and then what was said since."""
        self._sessions.down.discard(device)
        self._stage.judge.look()
        self._sessions.hear()

    def _do_link(self, device: str, what: str) -> None:
        """link DEVICE down|up|flap"""
        if what in ("down", "flap"):
            self._stage.node.ip(f"link set {device} down")
            self._sessions.down.add(device)
            self._stage.judge.look()
        if what in ("up", "flap"):
            self._stage.node.ip(f"link set {device} up")
            self._mended(device)

    def _do_carrier(self, device: str, what: str) -> None:
        """carrier DEVICE off|on"""
        self._stage.arena.switches[device].ip(f"link set node {'up' if what == 'on' else 'down'}")
        self._mended(device) if what == "on" else self._sessions.down.add(device)

    def _do_address(self, device: str, what: str) -> None:
        """address DEVICE away|back"""
        word = "add" if what == "back" else "del"
        (wire,) = [wire for wire in WIRES if wire.device == device]
        self._stage.node.ip(*(f"addr {word} {one} dev {device}{fixed(one)}" for one in wire.addresses))
        self._mended(device) if what == "back" else self._sessions.down.add(device)

    def _do_daemon(self, what: str) -> None:
        """daemon kill|stop|start"""
        if what == "start" and not self._stage.alive:
            self._stage.start()
        elif what in ("kill", "stop") and self._stage.alive:
            self._stage.end(kill=what == "kill")

    def _do_speaker(self, number: str) -> None:
        """speaker NUMBER: one of the daemon's processes dies, that it can do without."""
        assert self._stage.daemon.process is not None
        spared = {self._stage.daemon.process.pid}
        children = [pid for pid in sorted(processes_in([self._stage.node.path])) if pid not in spared]
        victims = [pid for pid in children if b"scribe.py" not in _command(pid)]
        if victims:
            with suppress(ProcessLookupError):
                os.kill(victims[int(number) % len(victims)], signal.SIGKILL)

    def _do_drain(self, what: str) -> None:
        """drain on|off"""
        words: dict[str, Any] = {"wait": 0} if what == "on" else {"undo": True}
        ask(self._stage.daemon.run_directory, {"command": "drain", **words})
        self._stage.drained = what == "on"

    def _do_place(self, name: str, what: str) -> None:
        """place NAME away|back: the route to a gateway's address goes, or returns"""
        (place,) = [place for place in PLACES if place.name == name]
        for address in place.addresses:
            self._stage.node.ip(f"route {'add' if what == 'back' else 'del'} {address} dev {place.device}")
        (self._stage.away.discard if what == "back" else self._stage.away.add)(name)

    def _do_foreign(self, verb: str, kind: str, *words: str) -> None:
        """foreign add|replace|del route|rule WORDS: as ip(8) has it"""
        line = " ".join(words)
        self._stage.node.try_ip(f"{'-6 ' if ':' in line else ''}{kind} {verb} {line}")

    def _do_meddle(self, kind: str, number: str) -> None:
        """meddle route|rule|nexthop|astray NUMBER: with one of ours; astray: a route, out by another wire"""
        self._stage.judge.excuse_gaps()
        if kind == "rule":
            rules = [rule for rule in self._stage.node.rules() if rule.get("protocol") == OURS]
            if rules:
                rule = rules[int(number) % len(rules)]
                if rule.get("action") == "unreachable":
                    self._stage.judge.excuse()
                to = f" to {rule['dst']}/{rule.get('dstlen', 32)}" if "dst" in rule else ""
                source = f"{rule['src']}/{rule.get('srclen', 32)}"
                self._stage.node.try_ip(f"rule del priority {rule['priority']} from {source}{to}")
        elif kind == "nexthop":
            found = [one for one in self._stage.node.show("nexthop show") if one.get("protocol") == OURS]
            if found:
                self._stage.node.try_ip(f"nexthop del id {found[int(number) % len(found)]['id']}")
        else:
            routes = [one for one in self._stage.node.routes("all") if one.get("protocol") == OURS]
            if routes:
                one = routes[int(number) % len(routes)]
                words = f"{one['dst']} table {one['table']} metric {one['metric']} proto {OURS}"
                if kind == "route":
                    self._stage.node.try_ip(f"route del {words}")
                else:
                    self._stage.judge.excuse()
                    self._stage.node.try_ip(
                        f"route change {words} dev {WIRES[int(number) % len(WIRES)].device}"
                    )

    def _do_config(self, what: str, *words: str) -> None:
        """config … : an edit, as `Plot.edit` has it; or `config bad KIND`, which is refused"""
        if what == "bad":
            self._stage.config.save("bad.yaml", BAD[words[0]])
            self._await_config(lambda found: bool(found["refused"]))
            self._stage.config.remove("bad.yaml")
            self._await_config(lambda found: not found["refused"])
            return
        self._stage.judge.look()
        before, last = self._stage.plot.manifests(), self._config()
        self._stage.plot.edit(what, *words)
        if self._stage.plot.manifests() != before:
            self._stage.save()
            self._await_config(lambda found: last is not None and found["read"] != last["read"])

    def _await_config(self, is_read: Callable[[Any], bool]) -> None:
        """Wait until the daemon has made up its mind about what was saved."""
        if self._stage.alive:
            wait_for(lambda: (found := self._config()) and is_read(found), PATIENCE, "read", interval=0.02)

    def _config(self) -> Any:
        """What `status` says of it, with times; None if there is no answer, or nothing was read yet."""
        with suppress(NotAnswered):
            found = ask(self._stage.daemon.run_directory, {"command": "status"})["config"]
            return found if found["read"] else None
        return None


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
