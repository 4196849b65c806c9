"""Feeds the decoder mutated UPDATEs: nothing may raise out of it, take long, or break an invariant.

    python -m tests.fuzz.decoder --seconds 60 [--seed N]

Starts from messages that other daemons sent and from made ones with every attribute, and keeps mutants that
led to an outcome not seen before (a new set of faults, a new error), so that later mutants go deeper. The
fast way has to say what the exact way says. A failure prints the session's terms and the octets in hex, and
ends with status 1; its seed finds it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Iterable
from struct import pack

from tests.unit.rib import recorded, wire
from tests.unit.rib.invariants import check
from tests.unit.rib.sessions import decoder, one_by_one
from vrfbgp.model import Family
from vrfbgp.rib.decode import Decoder, Update
from vrfbgp.rib.errors import SessionError

SLOW = 2.0
"""CPU seconds for a run of at most some dozen messages, orders beyond what it should take."""
CORPUS = 4000
Terms = tuple[bool, bool, frozenset[Family]]
TERMS: tuple[Terms, ...] = tuple(
    (internal, asn4, families)
    for internal in (False, True)
    for asn4 in (True, False)
    for families in (frozenset[Family](), frozenset(Family))
)


def seeds(rng: random.Random) -> list[bytes]:
    """Bodies of well-formed messages: recorded ones, and made ones with every attribute there is."""

    def prefixes(count: int) -> list[str]:
        numbers = [rng.randrange(1 << 8, 223 << 8) for _ in range(count)]
        return [f"{number >> 8}.{number & 255}.0.0/16" for number in numbers]

    found = [wire.end_of_rib(family) for family in Family]
    found += [message for file in recorded.FILES for message in recorded.messages(file)]
    for asn4 in (True, False):
        path = [rng.randrange(1, 65536) for _ in range(rng.randrange(1, 8))]
        everything = wire.attributes(
            next_hop="192.0.2.1",
            as_path=[*path, (wire.SET, (1, 2))],
            med=rng.getrandbits(32),
            local_pref=100,
            communities=[(rng.randrange(65536), 1)] * 3,
            large_communities=[(rng.getrandbits(32), 1, 2)],
            originator_id="10.0.0.1",
            cluster_list=["10.0.0.2"],
            asn4=asn4,
        )
        everything += wire.attribute(6, b"")
        everything += wire.attribute(7, pack("!II" if asn4 else "!HI", 23456, 1))
        everything += wire.attribute(16, bytes(8)) + wire.attribute(17, wire.as_path_value([4200000000]))
        everything += wire.attribute(18, pack("!II", 4200000000, 1)) + wire.attribute(25, bytes(20))
        everything += wire.attribute(99, b"unknown", 0xE0)
        both = wire.attribute(14, wire.reach("2001:db8::1", ["2001:db8:1::/48", "::/0"]))
        both += wire.attribute(15, wire.unreach(["2001:db8:2::/48"]))
        with_ids = wire.nlri("10.0.0.0/8", "10.1.0.0/16", path_id=rng.getrandbits(32))
        found += [
            wire.update(prefixes(20), as_path=path, asn4=asn4),
            wire.update(withdraw=prefixes(20)),
            wire.update(["2001:db8::/32", "::/0"], next_hop="2001:db8::1", as_path=path, asn4=asn4),
            wire.update(withdraw=["2001:db8::/32"]),
            wire.message(wire.nlri(*prefixes(3)), everything, wire.nlri(*prefixes(3))),
            wire.message(wire.nlri(*prefixes(2)), both + everything, wire.nlri(*prefixes(2))),
            wire.message(with_ids, everything, with_ids),
        ]
    return [message[19:] for message in found]


def mutant(rng: random.Random, corpus: list[bytes]) -> bytes:
    """A body of the corpus with a few changes, or crossed with another."""
    body = bytearray(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        at = rng.randrange(len(body) + 1)
        match rng.randrange(8):
            case 0 if at < len(body):
                body[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(body):
                body[at] = rng.choice((0, 1, 2, 4, 14, 15, 16, 32, 33, 128, 129, 255))
            case 2 if at < len(body):
                body[at] = rng.randrange(256)
            case 3:
                del body[at : at + rng.randrange(1, 9)]
            case 4:
                body[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 5:
                begin = rng.randrange(len(body) + 1)
                body[at:at] = body[begin : begin + rng.randrange(1, 64)]
            case 6:
                other = rng.choice(corpus)
                begin = rng.randrange(len(other) + 1)
                body[at : at + rng.randrange(64)] = other[begin : begin + rng.randrange(64)]
            case _:
                _repair(body)
    del body[4000:]
    body.extend(bytes(max(0, 4 - len(body))))
    return bytes(body)


def run_around(rng: random.Random, message: bytes) -> bytes:
    """A run of messages with one prefix each, with a mutant of one of them, or another message, in it."""
    attributes = wire.attributes(next_hop="192.0.2.1", as_path=[64501]) if rng.randrange(2) else b""
    prefixes = [bytes((8 * octets,)) + rng.randbytes(octets) for octets in rng.choices(range(5), k=30)]
    run = [wire.message(b"", attributes, p) if attributes else wire.message(p) for p in prefixes]
    at = rng.randrange(len(run))
    if rng.randrange(2):
        body = mutant(rng, [run[at][19:]])
        message = wire.header(19 + len(body)) + body
    run[at] = message
    return b"".join(run)


def _repair(body: bytearray) -> None:
    """Make the attributes' total length fit again, so that what is behind it is reached."""
    if len(body) < 4:
        return
    begin = 4 + int.from_bytes(body[:2], "big")
    if begin <= len(body):
        body[begin - 2 : begin] = pack("!H", len(body) - begin)


def outcome_of(found: Iterable[Update | SessionError]) -> object:
    """What makes an outcome a new one."""
    return tuple(
        one if isinstance(one, SessionError) else (one.faults, bool(one.announced), bool(one.withdrawn))
        for one in found
    )


def run(seconds: float = float("inf"), seed: int = 0, mutants: float = float("inf")) -> int:
    """Fuzz for so long or so many mutants; how many kinds of outcome were seen. Raises what it finds."""
    rng = random.Random(seed)
    corpus = seeds(rng)
    seen: set[object] = set()
    count, end = 0, time.monotonic() + seconds
    long_lived = {terms: _decoder(terms) for terms in TERMS}
    while count < mutants and time.monotonic() < end:
        count += 1
        terms, body = rng.choice(TERMS), mutant(rng, corpus)
        message = wire.header(19 + len(body)) + body
        data = message + rng.choice(
            (b"", message, rng.randbytes(rng.randrange(40)), run_around(rng, message))
        )
        try:
            found = _decode(_decoder(terms), data)
            assert found[:1] == _decode(long_lived[terms], message), "an older decoder says otherwise"
            assert found == _decode(_decoder(terms, exact=True), data), "the exact way says otherwise"
            if isinstance(found[0], SessionError):
                long_lived[terms] = _decoder(terms)
        except Exception:
            print(f"seed {seed}, mutant {count}, terms {terms}:\n{data.hex()}", file=sys.stderr)
            raise
        kind = terms, outcome_of(found[:1])
        if kind not in seen and len(seen) < CORPUS:
            seen.add(kind)
            corpus.append(body)
    print(f"{count} mutants, {len(seen)} kinds of outcome, seed {seed}: nothing found")
    return len(seen)


def _decoder(terms: Terms, *, exact: bool = False) -> Decoder:
    internal, asn4, add_path = terms
    return decoder(internal=internal, asn4=asn4, add_path=add_path, exact=exact)


def _decode(by: Decoder, data: bytes) -> list[Update | SessionError]:
    begin = time.process_time()
    found = list(by.block(data))
    spent = time.process_time() - begin
    assert spent < SLOW, f"{len(data)} octets took {spent:.1f} s"
    check(found, len(data))
    return list(one_by_one(found))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.decoder", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one each time")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    try:
        run(options.seconds, seed)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
