"""`verify` for people: what was compared, where each gateway's packets go, what is wrong, the verdict."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.tables import Page, count

Json = dict[str, Any]

_HEADINGS = {
    "leak": "Leaks: packets can go where they must not",
    "defect": "Defects: not as the config wants it, but no packet goes to a wrong place for it",
    "notice": "Notices",
}
_VERDICTS = {
    "leak": "The networks are NOT kept apart on this node.",
    "defect": "Nothing leaks, but not all is as the config wants it.",
    "ok": "Nothing is wrong: each gateway's packets take its own networks, or go nowhere.",
}
_ELSEWHERE = (
    "Nothing of vrfbgp's is in this network namespace, nor a device of its networks: "
    "is it the one that the daemon runs in?"
)


def show_verify(page: Page, found: Json) -> None:
    """Print what `verify` found."""
    if not found["anything"]:
        page.heading(_ELSEWHERE)
        page.gap()
    _compared(page, found)
    if found["networks"]:
        page.gap()
        page.table(
            ("NETWORK", "TABLE#", "ROUTES#", "UPLINKS"),
            ((n["name"], n["table"], n["routes"], ", ".join(n["uplinks"])) for n in found["networks"]),
        )
    if found["gateways"]:
        page.gap()
        page.table(
            ("GATEWAY", "RANGE@", "LOOKS UP", "ELSE"),
            (
                (g["name"], g["range"], ", ".join(g["tables"]), "unreachable" if g["closed"] else None)
                for g in found["gateways"]
            ),
        )
    for weight, heading in _HEADINGS.items():
        _findings(page, [one for one in found["findings"] if one["weight"] == weight], heading)
    if found["more"]:
        page.line(f"and {found['more']} more")
    page.gap()
    page.line(_VERDICTS[found["verdict"]])


def _compared(page: Page, found: Json) -> None:
    config, looked = found["config"], found["looked_at"]
    with_what = "the config that the daemon last took" if config["last_good"] else ", ".join(config["paths"])
    page.line(
        f"Node {found['node']}, compared with {with_what};",
        "the daemon answers." if found["daemon"]["answered"] else "the daemon does not answer.",
    )
    if not found["enabled"]:
        page.line("External networks are disabled: nothing of vrfbgp's is wanted.")
    if found["drained"]:
        page.line("It is drained: gateways are closed, and not steered.")
    if config["partial"]:
        page.line("The config is understood in part only: what it leaves out is not judged.")
    page.line(
        f"Looked at {count(looked['rules'], 'rule')}, {count(looked['routes'], 'route')} and",
        f"{count(looked['nexthops'], 'next hop')}, and asked the kernel about",
        f"{count(looked['asked'], 'packet')}, in {found['seconds']:.1f} s.",
    )


def _findings(page: Page, findings: list[Json], heading: str) -> None:
    if not findings:
        return
    page.gap()
    page.heading(heading)
    for one in findings:
        page.line(f"{one['subject']} [{one['flaw']}]", indent=2)
        page.line(one["text"], indent=6)
        page.line(f"Remedy: {one['remedy']}", indent=6)
