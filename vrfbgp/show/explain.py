"""`explain` for people: the answer first, then how it came about, then what is missing and what to do."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.tables import Page, duration, past, table_word

Json = dict[str, Any]


def show_prefix(page: Page, found: Json) -> None:
    """Print what `views.explain_prefix` found."""
    page.line(f"{found['prefix']} in network {found['network']} (table {found['table']}): {found['text']}")
    if found["kernel"]:
        page.line(f"the kernel says: {found['kernel']}", indent=2)
    if found["route"]:
        _next_hops(page, found["route"])
    if found["instead"]:
        page.line(f"Packets to it take the route to {found['instead']['prefix']} instead:", indent=2)
        _next_hops(page, found["instead"])
    _paths(page, found["paths"])
    if found["withdrawn"]:
        page.gap()
    _withdrawn(page, found["withdrawn"], 0)


def show_flow(page: Page, found: Json) -> None:
    """Print what `views.explain_flow` found."""
    page.line(f"{found['source']} -> {found['destination']}: {found['text']}")
    if found["agrees"] is False:
        page.gap()
        page.heading(f"!!! This differs from the kernel: {found['difference']}")
    page.gap()
    facts = [
        ("gateway", found["gateway"] or "none: the source is no egress gateway's address on this node"),
        ("comes in by", found["device"] or "-"),
        ("rule", _rule(found)),
        ("table", _table(found)),
        ("route", found["route"]["prefix"] + f" ({found['route']['owner']})" if found["route"] else "-"),
        ("kernel", _kernel(found)),
    ]
    if found["way_back"]:
        facts.append(("way back", _way_back(found)))
    page.table(("", ""), facts, header=False)
    if found["route"]:
        _next_hops(page, found["route"])
    passed = [rule for rule in found["rules"] if rule["result"] != "decided"]
    if passed:
        page.gap()
        page.heading("Rules that match and do not decide")
        page.table(
            ("RULE", "OURS", "RESULT"), ((rule["rule"], rule["ours"], rule["result"]) for rule in passed), 2
        )
    _paths(page, found["paths"])
    _missing(page, found["missing"])


def _rule(found: Json) -> str:
    decided = [rule for rule in found["rules"] if rule["result"] == "decided"]
    if not decided:
        return "no rule decides"
    return str(decided[0]["rule"]) + ("" if decided[0]["ours"] else " (not ours)")


def _table(found: Json) -> str:
    if found["table"] is None:
        return "-"
    return (
        f"{found['table']} (network {found['network']})" if found["network"] else table_word(found["table"])
    )


def _kernel(found: Json) -> str:
    kernel = found["kernel"]
    if kernel is None:
        return "not asked: the source is neither here nor behind a device of this node"
    agrees = {True: "agrees: ", False: "DIFFERS: ", None: ""}[found["agrees"]]
    if "error" in kernel:
        return f"{agrees}{kernel['error']}"
    hops = ", ".join(f"{hop['gateway'] or 'on-link'} on {hop['device']}" for hop in kernel["next_hops"])
    return f"{agrees}{kernel['kind']}, table {table_word(kernel['table'])}" + (f", {hops}" if hops else "")


def _way_back(found: Json) -> str:
    told = found["way_back"]["announced"]
    if told:
        return f"{found['source']} is announced to {', '.join(told)}"
    return (
        f"NONE: {found['source']} is announced to no peer of {found['network']}: {found['way_back']['text']}"
    )


def _next_hops(page: Page, route: Json) -> None:
    if not route["next_hops"]:
        return
    page.gap()
    _hops(page, route["next_hops"])
    if route["backup"]:
        page.gap()
        page.line(f"Ready to take over (backup route, metric {route['metric'] + 1}):", indent=2)
        _hops(page, route["backup"])


def _hops(page: Page, hops: list[Json]) -> None:
    page.table(
        ("GATEWAY@", "DEVICE", "PEER"),
        ((hop["gateway"] or "on-link", hop["device"], hop["peer"]) for hop in hops),
        2,
    )


def _paths(page: Page, paths: list[Json]) -> None:
    if not paths:
        return
    page.gap()
    page.heading("Paths, those in use first")
    for path in paths:
        more = "; it stands ready as backup" if path["backup"] else ""
        more += ", stale: kept until the peer has told all again" if path["stale"] else ""
        page.line(path["verdict"], f"{path['peer']} ({path['address']}): {path['text']}{more}", indent=2)
        page.line(_attributes(path), indent=6)
        if path["came"]:
            page.line(_came(path["came"]), indent=6)
        if path["remedy"]:
            page.line(f"{path['remedy'][0].upper()}{path['remedy'][1:]}.", indent=6)


def _attributes(path: Json) -> str:
    words = [f"next hop {path['next_hop']}", f"AS path {path['as_path'] or '(empty)'}"]
    words += [f"origin {path['origin']}", "iBGP" if path["internal"] else "eBGP"]
    if path["local_preference"] is not None:
        words.append(f"local preference {path['local_preference']}")
    if path["med"] is not None:
        words.append(f"MED {path['med']}")
    communities = path["communities"] + path["large_communities"]
    if communities:
        words.append(f"communities {' '.join(communities)}")
    if path["originator_id"]:
        words.append(f"originator {path['originator_id']}")
    return ", ".join(words)


def _came(came: Json) -> str:
    """When a path came (docs/cli.md has what is known of it, and why not more)."""
    since, until = came["since"], came["until"]
    match came["how"]:
        case "then":
            return f"announced at {past(until)}, {duration(int(until))} ago"
        case "first-transfer" if until is None:
            return f"announced since {past(since)}, when the session began; the peer has not told all yet"
        case "first-transfer":
            began, over = past(since), past(until)
            when = f"at {over}" if began == over else f"between {began} and {over}"
            return f"announced as the session began, {when}, {duration(int(until))} ago"
        case "later":
            return f"announced between {past(since)} and {past(until)}; more is not remembered"
    return f"announced in an earlier session, before {past(until)}, {duration(int(until))} ago"


def _withdrawn(page: Page, withdrawn: list[Json], indent: int) -> None:
    for one in withdrawn:
        when = f"at {past(one['ago'])}, {duration(int(one['ago']))} ago"
        page.line(f"{one['peer']} ({one['address']}) withdrew {one['prefix']} {when}", indent=indent)


def _missing(page: Page, missing: list[Json]) -> None:
    if not missing:
        return
    page.gap()
    page.heading("What is missing")
    for one in missing:
        page.line(f"{one['network']}: {one['text']}" if one["network"] else one["text"], indent=2)
        _withdrawn(page, one["withdrawn"], 6)
        if one["remedy"]:
            page.line(f"{one['remedy'][0].upper()}{one['remedy'][1:].rstrip('.')}.", indent=6)
