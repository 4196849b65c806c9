"""What the running daemon says it does, beside what config and kernel come to."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from vrfbgp.model import PeerId
from vrfbgp.steering import is_open
from vrfbgp.verify.findings import Finding, Flaw
from vrfbgp.verify.ground import Ground
from vrfbgp.verify.sight import Sight

Json = dict[str, Any]

_RELOAD = "verify with the config that the daemon runs with, or have it read its files: vrfbgp reload"
_DRAINED = frozenset({"closing", "drained"})
_NO_SESSION = frozenset({"degraded", "disabled"})


def is_drained(status: Json) -> bool:
    """Whether the daemon takes, or took, the steering rules away."""
    return bool(status["drain"]["state"] in _DRAINED)


def resting(status: Json) -> frozenset[str]:
    """The peers (`red/172.16.1.140`) that the daemon has no session with, and says why."""
    return frozenset(
        str(PeerId(network["name"], ip_address(peer["address"]), peer["port"]))
        for network in status["networks"]
        for peer in network["peers"]
        if peer["state"] in _NO_SESSION
    )


def check_word(ground: Ground, sight: Sight, status: Json) -> Iterator[Finding]:
    """Where the daemon's `status` differs from what was compared with."""
    intent = ground.intent
    if status["enabled"] != intent.enabled:
        words = ("on", "off") if status["enabled"] else ("off", "on")
        yield _differs("daemon", f"external networks are {words[0]} there, the config has them {words[1]}")
        return
    theirs = {network["name"]: network for network in status["networks"]}
    ours = {network.name: network for network in intent.networks}
    for name in sorted(theirs.keys() ^ ours.keys()):
        has = "the daemon has it, the config has not" if name in theirs else "the daemon does not know it"
        yield _differs(f"ExternalNetwork {name}", has)
    for name in sorted(theirs.keys() & ours.keys()):
        subject, told = f"ExternalNetwork {name}", theirs[name]
        if told["table"] != ours[name].table:
            text = f"its table is {told['table']} there, {ours[name].table} in the config"
            yield _differs(subject, text)
        if name in ground.networks:
            devices = sorted(map(sight.device, ground.networks[name].uplinks))
            said = sorted(uplink["device"] for uplink in told["uplinks"])
            if devices != said and intent.enabled:
                text = f"its uplinks are {_list(said)} there, {_list(devices)} by config and kernel"
                yield _differs(subject, text)
    yield from _gateways(ground, status)


def check_config(refused: list[Json]) -> Iterator[Finding]:
    """The files as they are now, where they are refused."""
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        text = f"the files are refused, so what ran before is compared with: {refused[0]['text']}{more}"
        yield Finding(Flaw.CONFIG_REFUSED, "config", text, "see all of it by `vrfbgp check PATH`")


def _gateways(ground: Ground, status: Json) -> Iterator[Finding]:
    networks = {network.name: network for network in ground.intent.networks}
    ours = {
        gateway.name: (
            sorted(map(str, gateway.ranges)),
            list(gateway.networks),
            not is_open(gateway, networks),
        )
        for gateway in ground.intent.gateways
    }
    theirs = {g["name"]: (sorted(g["ranges"]), g["networks"], g["closed"]) for g in status["gateways"]}
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            text = f"there it is {_gateway(theirs.get(name))}, in the config {_gateway(ours.get(name))}"
            yield _differs(f"EgressGateway {name}", text)


def _gateway(found: tuple[list[str], list[str], bool] | None) -> str:
    if found is None:
        return "missing"
    ranges, networks, closed = found
    return f"{_list(ranges)} to {_list(networks)}, {'closed' if closed else 'open'}"


def _list(words: list[str]) -> str:
    return ", ".join(words) or "none"


def _differs(subject: str, text: str) -> Finding:
    return Finding(Flaw.DAEMON_DIFFERS, subject, text, _RELOAD)
