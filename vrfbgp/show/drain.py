"""`drain` for people: what came of it, and what to do next."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.tables import Page, count, duration

Json = dict[str, Any]


def show_drain(page: Page, found: Json, undo: bool) -> None:
    """Print what became of the word; `found` is that of `views.drain` with `done` and `kept`."""
    if undo:
        _served(page, found)
    elif found["done"]:
        page.line("Drained: nothing is announced, and gateways' packets are unreachable.")
        page.line(
            "Sessions stay up and routes stay in their tables. Stop the daemon, or take the word back:",
            "vrfbgp drain --undo",
        )
    else:
        page.line(f"Not drained yet: {drain_words(found)}.")
        page.line("The daemon goes on with it; vrfbgp status says what is in the way.")
    if not undo and found["open"]:
        page.line(f"Open, so their packets go by table main now: {', '.join(found['open'])}")
    if not found["kept"]:
        what = "drains the node again" if undo else "undoes it"
        page.line(f"A restart of the daemon {what}: its state directory can't be written, see its log.")


def drain_words(found: Json) -> str:
    """How far it is."""
    announced = f"{count(found['announced'], 'announcement')}"
    match found["state"]:
        case "serving":
            return "not drained"
        case "withdrawing" if found["left"] is not None:
            return f"all is withdrawn, gateways are steered for {duration(round(found['left']))} more"
        case "withdrawing":
            return f"{announced} to be taken back"
        case "closing":
            return f"{count(found['steering'], 'rule')} that steer gateways to be deleted"
    return "drained (vrfbgp drain --undo takes it back)"


def _served(page: Page, found: Json) -> None:
    if found["done"]:
        page.line(f"This node serves: {count(found['steering'], 'rule')} steer gateways into their networks.")
    elif found["state"] == "serving":
        waiting = f"{count(found['waiting'], 'rule')} not standing yet"
        page.line(f"This node is to serve again, with {waiting}: vrfbgp status says what is in the way.")
    else:
        page.line(f"Drained again by somebody else meanwhile: {drain_words(found)}.")
