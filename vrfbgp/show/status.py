"""`status` for people: networks, peers, gateways, then what is wrong and what to do about it."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.drain import drain_words
from vrfbgp.show.problems import show_problems
from vrfbgp.show.tables import Page, count, duration, moment

Json = dict[str, Any]


def show_status(page: Page, status: Json) -> None:
    """Print what `views.status` found."""
    _summary(page, status)
    _networks(page, status["networks"])
    _peers(page, status["networks"])
    _gateways(page, status)
    _overlaps(page, status["overlaps"])
    _sessions_down(page, status["networks"])
    _kernel(page, status["kernel"])
    show_problems(page, status["problems"])
    refused = status["config"]["refused"]
    show_problems(page, refused, "The newest config is refused, the one before still runs")


def _summary(page: Page, status: Json) -> None:
    networks, gateways = status["networks"], status["gateways"]
    worse = [problem for problem in status["problems"] if problem["severity"] != "notice"]
    counted = f"{_working(networks)}, {_sessions(networks)}{count(len(gateways), 'gateway')}"
    # A session that is down is none of the problems, and nobody is to read that there is none.
    well = all(one["state"] == "ok" for one in [*networks, *gateways])
    if worse or well:
        counted += f", {count(len(worse), 'problem')}"
    words = [f"Node {status['node'] or '(no config yet)'}:", counted]
    if status["config"]["refused"]:
        words.append("and a refused config")
    if not status["enabled"]:
        words.append("- external networks are disabled (FelixConfiguration externalNetworkSupport)")
    page.line(*words)
    if taken := status["config"].get("applied"):
        refused = f"what was read at {moment(status['config']['read'])} is refused"
        began = status.get("daemon", {}).get("started")
        config = f"Running since {moment(began)} with the config" if began else "Config"
        page.line(
            f"{config} of {moment(taken)};", refused if status["config"]["refused"] else "it is the newest"
        )
    if status["drain"]["state"] != "serving":
        page.heading(f"This node leaves: {drain_words(status['drain'])}")


def _working(networks: list[Json]) -> str:
    ok = sum(network["state"] == "ok" for network in networks)
    return f"{ok} of {count(len(networks), 'network')} ok"


def _sessions(networks: list[Json]) -> str:
    """How many are down; nothing if all are up."""
    states = [peer["state"] for network in networks for peer in network["peers"]]
    down = sum(state not in ("established", "disabled") for state in states)
    return f"{down} of {count(len(states), 'session')} down, " if down else ""


def _networks(page: Page, networks: list[Json]) -> None:
    if not networks:
        return
    page.gap()
    page.table(
        ("NETWORK", "STATE", "TABLE#", "ROUTES#", "PENDING#", "IN SYNC", "UPLINKS"),
        (
            (
                network["name"],
                network["state"],
                network["table"],
                network["routes"],
                network["pending"],
                network["in_sync"],
                ", ".join(_uplink(uplink) for uplink in network["uplinks"]),
            )
            for network in networks
        ),
    )


def _uplink(uplink: Json) -> str:
    return str(uplink["device"]) if uplink["running"] else f"{uplink['device']} (down)"


def _peers(page: Page, networks: list[Json]) -> None:
    rows = [
        (
            network["name"],
            peer["name"],
            peer["endpoint"],
            peer["as"],
            peer["state"],
            duration(peer["uptime"] if peer["uptime"] is not None else peer["down_for"]),
            peer["received"],
            peer["accepted"] - sum(peer["unusable"].values()),
            peer["in_use"],
            peer["announced"],
        )
        for network in networks
        for peer in network["peers"]
    ]
    if rows:
        page.gap()
        page.table(
            (
                "NETWORK",
                "PEER",
                "ADDRESS@",
                "AS#",
                "STATE",
                "FOR#",
                "RECEIVED#",
                "USABLE#",
                "IN USE#",
                "ANNOUNCED#",
            ),
            rows,
        )
    unused = [
        (network["name"], peer["name"], reason, number)
        for network in networks
        for peer in network["peers"]
        for reason, number in (peer["refused"] | peer["unusable"]).items()
    ]
    if unused:
        page.gap()
        page.table(("NETWORK", "PEER", "NOT USED, BECAUSE", "PREFIXES#"), unused)


def _gateways(page: Page, status: Json) -> None:
    gateways, withdrawn = status["gateways"], status["drain"]["state"] != "serving"
    if not gateways:
        return
    told = {n["name"] for n in status["networks"] if any(p["uptime"] is not None for p in n["peers"])}
    page.gap()
    page.table(
        ("GATEWAY", "STATE", "RANGES@", "NETWORKS", "ELSE", "RULES#", "ANNOUNCED"),
        (
            (
                gateway["name"],
                gateway["state"],
                ", ".join(gateway["ranges"]),
                ", ".join(
                    f"{name} (missing)" if name in gateway["missing"] else name
                    for name in gateway["networks"]
                ),
                "unreachable" if gateway["closed"] else "main",
                _standing(gateway["rules"]),
                "withdrawn" if withdrawn and not gateway["announced"] else _announced(gateway, told),
            )
            for gateway in gateways
        ),
    )


def _standing(rules: list[Json]) -> str:
    stand = sum(rule["stands"] for rule in rules)
    return f"{stand}" if stand == len(rules) else f"{stand} of {len(rules)}"


def _announced(gateway: Json, told: set[str]) -> str:
    """What is announced for a gateway, or why nothing is; `told` are networks with a session that is up."""
    addresses = list(dict.fromkeys(sent["address"] for sent in gateway["announced"]))
    if addresses:
        more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
        return ", ".join(addresses[:3]) + more
    if gateway["refused"]:
        return f"refused by {', '.join(sorted({held['rule'] for held in gateway['refused']}))}"
    if not gateway["addresses"]:
        return "none is here"
    return "not yet" if told.intersection(gateway["networks"]) else "no session"


def _overlaps(page: Page, overlaps: list[Json]) -> None:
    if not overlaps:
        return
    page.gap()
    page.heading("Overlaps: the network that stands first in the gateway's list takes these")
    for overlap in overlaps:
        number = f"{overlap['count']}" if overlap["complete"] else f"{overlap['count']} or more"
        page.line(
            f"{overlap['wins']} before {overlap['shadowed']}: {number}",
            "prefix" if number == "1" else "prefixes",
            f"(gateways: {', '.join(overlap['gateways'])})",
            indent=2,
        )
        for one in overlap["first"]:
            same = one["prefix"] == one["by"]
            page.line(one["prefix"] + ("" if same else f", covered by {one['by']}"), indent=6)
        if overlap["count"] > len(overlap["first"]):
            page.line("…", indent=6)


def _sessions_down(page: Page, networks: list[Json]) -> None:
    down = [
        (network["name"], peer)
        for network in networks
        for peer in network["peers"]
        if peer["reason"] and not peer["problems"]
    ]
    if not down:
        return
    page.gap()
    page.heading("Sessions that are not up")
    for network, peer in down:
        page.line(f"{network}/{peer['endpoint']} ({peer['name']}): {peer['reason']}", indent=2)
        if peer["advice"]:
            page.line(peer["advice"], indent=6)


def _kernel(page: Page, kernel: Json) -> None:
    repaired, comparison = kernel["repaired"], kernel["comparison"]
    quiet = not repaired and comparison["last"] is None
    if quiet and not kernel["failed"] and not kernel["blocked"]["count"]:
        return
    page.gap()
    page.heading("The kernel")
    if repaired:
        words = ", ".join(count(number, kind.removesuffix("s"), kind) for kind, number in repaired.items())
        page.line(f"Repaired, as somebody else had changed or deleted it: {words}", indent=2)
    if comparison["last"] is not None:
        missed = f"; {comparison['missed']} differed without an event" if comparison["missed"] else ""
        ago = duration(comparison["last"])
        page.line(f"Compared with what is wanted, the last part {ago} ago{missed}", indent=2)
    for failure in kernel["failures"]:
        page.line(f"refused {failure['object']}: {failure['text']}", indent=2)
        page.line(f"{count(failure['times'], 'try', 'tries')}, the next in {failure['again']:g} s", indent=6)
    if kernel["failed"] > len(kernel["failures"]):
        page.line(f"and {kernel['failed'] - len(kernel['failures'])} more", indent=2)
    for key in kernel["blocked"]["first"]:
        page.line(f"{key} is taken by a route that is not ours", indent=2)
        page.line("Remove that route, or leave it: it stays, and ours waits.", indent=6)
    if kernel["blocked"]["count"] > len(kernel["blocked"]["first"]):
        page.line(f"and {kernel['blocked']['count'] - len(kernel['blocked']['first'])} more", indent=2)
