"""What options of the command line must look like; each error names the option and what would do."""

from __future__ import annotations

import re

import typer


def labels(given: list[str] | None) -> dict[str, str]:
    """`--label`: KEY=VALUE, repeated or separated by commas."""
    found: dict[str, str] = {}
    for word in re.split(r"[,\s]+", ",".join(given or ())):
        key, equals, value = word.partition("=")
        if not word:
            continue
        if not equals or not key:
            raise typer.BadParameter(f"{word!r} is no KEY=VALUE", param_hint="--label (VRFBGP_LABELS)")
        found[key] = value
    return found


def one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    """One of a few words."""
    if given not in known:
        raise typer.BadParameter(f"{given!r} is none of {', '.join(known)}", param_hint=option)


def address(listen: str | None) -> None:
    """`--listen`: see `observe/http.address_of`."""
    if listen:
        from vrfbgp.observe.http import address_of

        try:
            address_of(listen)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--listen (VRFBGP_LISTEN)") from None
