"""Reads of netfilter's rules those that change source addresses of packets that leave.

Of a node with ten thousand services nearly all chains have nothing to do with that. So the chains are listed,
and rules are read only of those of type nat at hook postrouting, and of whatever these jump to. Nothing is
read while the ruleset's generation is the one of the last time, but ipsets, which have none.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace

from vrfbgp.kernel import ipset, nft
from vrfbgp.kernel import nft_uapi as uapi
from vrfbgp.kernel.attributes import attributes, packed
from vrfbgp.kernel.netlink import messages, refusal
from vrfbgp.kernel.uapi import NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR
from vrfbgp.netfilter.nat import IPSET, Decide, Element, Lookup, Name, Nat, Rule

_log = logging.getLogger(__name__)

Ask = Callable[[int, int, bytes], Awaitable[bytes]]
"""`Questions.ask`: type, flags and body of a request; all that the kernel answers."""
_TRIES = 3
"""Of a ruleset that changes while it is read; then the next look has to do."""
_MOST_CHAINS = 5_000
"""Followed of one ruleset; to what lies behind, an answer is a doubt."""
_FAMILIES = {name: number for number, name in nft.FAMILIES.items()}


class Interrupted(Exception):
    """The ruleset changed meanwhile."""


class Ruleset:
    """What was read last, and of which generation it is."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._generation: bytes | None = None
        self._nat = Nat()
        self._mute = False

    async def read(self) -> Nat:
        """The rules as they are now; if they can't be read, those that were read last."""
        try:
            for _ in range(_TRIES):
                generation = await self._current()
                if generation == self._generation:
                    await self._ipsets_anew()
                    break
                with contextlib.suppress(Interrupted):
                    found = await self._anew()
                    if await self._current() == generation:
                        self._nat, self._generation = found, generation
                        break
        except OSError as error:
            # Without nf_tables (EINVAL, EOPNOTSUPP) or the privilege (EPERM) it will be so for long.
            if not self._mute:
                _log.info(
                    "whether netfilter masquerades gateways is not known: its rules can't be read: %s", error
                )
            self._mute = True
        return self._nat

    async def _ipsets_anew(self) -> None:
        """Read again what changes without another generation."""
        sets = {name: held for name, held in self._nat.sets.items() if not name.name.startswith(IPSET)}
        for name in self._nat.sets.keys() - sets.keys():
            await self._look_up(name, sets)
        if sets != self._nat.sets:
            self._nat = replace(self._nat, sets=sets)

    async def _current(self) -> bytes:
        """The generation: each change of anything in nf_tables makes another."""
        for octets, start, end in _objects(uapi.NFT_MSG_GETGEN, await self._get(uapi.NFT_MSG_GETGEN, 0)):
            return attributes(octets, start + nft.NFGENMSG_OCTETS, end).get(uapi.NFTA_GEN_ID, b"")
        return b""

    async def _anew(self) -> Nat:
        chains = await self._get(uapi.NFT_MSG_GETCHAIN, 0, NLM_F_DUMP)
        bases = await asyncio.to_thread(_bases, chains)
        rules: dict[Name, tuple[Rule, ...]] = {}
        sets: dict[Name, tuple[Element, ...]] = {}
        waiting = deque(bases)
        while waiting and len(rules) < _MOST_CHAINS:
            chain = waiting.popleft()
            if chain not in rules:
                rules[chain] = await self._rules(chain)
                for expression in (one for rule in rules[chain] for one in rule):
                    if isinstance(expression, Lookup):
                        await self._look_up(chain._replace(name=expression.set), sets)
                waiting += [chain._replace(name=name) for name in _targets(chain, rules[chain], sets)]
        return Nat(tuple(bases), rules, sets)

    async def _rules(self, chain: Name) -> tuple[Rule, ...]:
        body = _named(uapi.NFTA_RULE_TABLE, chain.table) + _named(uapi.NFTA_RULE_CHAIN, chain.name)
        found = await self._get(uapi.NFT_MSG_GETRULE, _FAMILIES[chain.family], NLM_F_DUMP, body)
        return tuple(nft.rule(*at) for at in _objects(uapi.NFT_MSG_GETRULE, found))

    async def _look_up(self, name: Name, sets: dict[Name, tuple[Element, ...]]) -> None:
        """Read a set, unless it was, or is of a kind that is not understood."""
        if name in sets:
            return
        if name.name.startswith(IPSET):
            with contextlib.suppress(OSError):
                if (held := await ipset.read(self._ask, int(name.name.removeprefix(IPSET)))) is not None:
                    sets[name] = held
            return
        family = _FAMILIES[name.family]
        body = _named(uapi.NFTA_SET_TABLE, name.table) + _named(uapi.NFTA_SET_NAME, name.name)
        defined = await self._get(uapi.NFT_MSG_GETSET, family, NLM_F_ACK, body)
        flags = [nft.flags_of_set(*at) for at in _objects(uapi.NFT_MSG_GETSET, defined)]
        body = _named(uapi.NFTA_SET_ELEM_LIST_TABLE, name.table) + _named(
            uapi.NFTA_SET_ELEM_LIST_SET, name.name
        )
        found = await self._get(uapi.NFT_MSG_GETSETELEM, family, NLM_F_DUMP, body)
        listed = [one for at in _objects(uapi.NFT_MSG_GETSETELEM, found) for one in nft.listed(*at)]
        if flags and (elements := nft.elements(flags[0], listed)) is not None:
            sets[name] = elements

    async def _get(self, kind: int, family: int, flags: int = NLM_F_ACK, body: bytes = b"") -> bytes:
        header = bytes((family, 0, 0, 0))  # struct nfgenmsg
        return await self._ask(uapi.NFNL_SUBSYS_NFTABLES << 8 | kind, flags, header + body)


def _bases(octets: bytes) -> list[Name]:
    """The chains that netfilter itself calls, in the order in which it does."""
    found = [nft.base_chain(*at) for at in _objects(uapi.NFT_MSG_GETCHAIN, octets)]
    return [name for _, name in sorted(base for base in found if base is not None)]


def _objects(kind: int, octets: bytes) -> Iterator[tuple[bytes, int, int]]:
    """What a request was answered with, each as (octets, start, end); OSError, or `Interrupted`."""
    for answer, flags, _, start, end in messages(octets):
        if flags & NLM_F_DUMP_INTR:
            raise Interrupted
        if answer == NLMSG_ERROR:
            number, reason = refusal(octets, flags, start, end)
        elif answer == NLMSG_DONE:
            number, reason = -int.from_bytes(octets[start : start + 4], sys.byteorder, signed=True), ""
        else:
            # Of each NFT_MSG_GET* the answer is the one before it in the header, NFT_MSG_NEW*.
            if answer == uapi.NFNL_SUBSYS_NFTABLES << 8 | kind - 1:
                yield octets, start, end
            continue
        if number == errno.ENOENT:
            raise Interrupted  # It was there when it was listed.
        if number > 0:
            raise OSError(number, reason or os.strerror(number))


def _targets(chain: Name, rules: tuple[Rule, ...], sets: Mapping[Name, tuple[Element, ...]]) -> list[str]:
    """The chains that rules lead to, in the order of the rules."""
    found: dict[str, None] = {}
    for expression in (one for rule in rules for one in rule):
        if isinstance(expression, Decide):
            found[expression.chain] = None
        elif isinstance(expression, Lookup) and expression.verdicts:
            elements = sets.get(chain._replace(name=expression.set), ())
            found |= dict.fromkeys(element.verdict.chain for element in elements if element.verdict)
    return [name for name in found if name]


def _named(kind: int, name: str) -> bytes:
    return packed(kind, name.encode() + b"\0")
