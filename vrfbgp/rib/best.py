"""Which of the paths to a prefix are used: the decision process of RFC 4271 9.1.2.2, with multipath.

`select` removes paths step by step, as the RFC words it, so that the outcome never depends on the order of
arrival (MED, which does not compare between neighbour ASes, makes comparing pair by pair depend on it). All
that are left after "external before internal" carry traffic together, whatever ASes they lead through
(multipath relax, which can be switched off); the last steps (router id, cluster list, peer address) only say
which of them is the best.

There is no interior cost: a next hop is on an uplink or it is not, and the path not eligible.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vrfbgp.model import IPAddress, Path
from vrfbgp.rib.merits import Merits, merits_of


class Verdict(StrEnum):
    """What became of a path, or the step at which it lost."""

    BEST = "best"
    MULTIPATH = "multipath"
    """Used beside the best."""
    LOCAL_PREF = "local-preference"
    AS_PATH_LENGTH = "as-path-length"
    ORIGIN = "origin"
    MED = "med"
    EXTERNAL_PREFERRED = "external-preferred"
    ROUTER_ID = "router-id"
    CLUSTER_LIST = "cluster-list-length"
    PEER_ADDRESS = "peer-address"
    AS_PATH = "as-path"
    """As good as the best, but by other ASes, and only one AS_PATH is used at a time."""
    MAX_PATHS = "max-paths"
    """As good as those in use, which are as many as may be."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The outcome for one prefix."""

    best: tuple[Path, ...]
    """The paths in use, the best of all first; empty if there was no path."""
    lost: tuple[tuple[Path, Verdict], ...] = ()
    """The others, each with the step at which it lost."""

    def why_not(self, path: Path) -> Verdict | None:
        """What became of a path; None for one that was not among those to select from."""
        if path in self.best:
            return Verdict.BEST if path == self.best[0] else Verdict.MULTIPATH
        return next((verdict for other, verdict in self.lost if other == path), None)


NOTHING = Selection(())


Ranked = tuple[Merits, Path]


def select(
    paths: Sequence[Path], *, max_paths: int, always_compare_med: bool = False, multipath_relax: bool = True
) -> Selection:
    """Choose among eligible paths of one prefix, at most `max_paths` (1 or more) of them.

    MED compares between paths from one neighbour AS, or between all with `always_compare_med`. Without
    `multipath_relax` only paths with the best one's AS_PATH stand beside it.
    """
    if len(paths) == 1:
        return Selection((paths[0],))
    if not paths:
        return NOTHING
    lost: list[tuple[Path, Verdict]] = []
    left: Sequence[Ranked] = [(merits_of(path), path) for path in paths]
    left = _least(left, lambda one: -one[0].local_pref, Verdict.LOCAL_PREF, lost)
    left = _least(left, lambda one: one[0].as_path_length, Verdict.AS_PATH_LENGTH, lost)
    left = _least(left, lambda one: one[0].origin, Verdict.ORIGIN, lost)
    left = _least_med(left, always_compare_med, lost)
    left = _least(left, lambda one: one[1].internal, Verdict.EXTERNAL_PREFERRED, lost)
    if len(left) > 1:
        left = sorted(left, key=_order)
        if not multipath_relax and max_paths > 1:
            same = left[0][1].attributes.as_path
            lost += [(one[1], Verdict.AS_PATH) for one in left if one[1].attributes.as_path != same]
            left = [one for one in left if one[1].attributes.as_path == same]
    best, beyond = left[:max_paths], left[max_paths:]
    for one in beyond:
        lost.append((one[1], Verdict.MAX_PATHS if max_paths > 1 else _tie_break(best[0], one)))
    return Selection(tuple(path for _, path in best), tuple(lost))


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision process as a network has it; the switches are those of `select`."""

    max_paths: int
    always_compare_med: bool = False
    multipath_relax: bool = True

    def select(self, paths: Sequence[Path]) -> Selection:
        """Choose among eligible paths of one prefix."""
        return select(
            paths,
            max_paths=self.max_paths,
            always_compare_med=self.always_compare_med,
            multipath_relax=self.multipath_relax,
        )

    def used(self, paths: Sequence[Path]) -> tuple[Path, ...]:
        """`select(...).best`, of one path or more: three steps mostly leave one, and are taken at once."""
        if len(paths) == 1:
            return (paths[0],)
        ranks = [(-one.local_pref, one.as_path_length, one.origin) for one in map(merits_of, paths)]
        least = min(ranks)
        if ranks.count(least) == 1:
            return (paths[ranks.index(least)],)
        return self.select(paths).best


def _least(
    ranked: Sequence[Ranked],
    rank: Callable[[Ranked], int],
    verdict: Verdict,
    lost: list[tuple[Path, Verdict]],
) -> Sequence[Ranked]:
    if len(ranked) == 1:
        return ranked
    ranks = [rank(one) for one in ranked]
    least = min(ranks)
    if ranks.count(least) == len(ranks):
        return ranked
    lost += [(one[1], verdict) for one, own in zip(ranked, ranks, strict=True) if own != least]
    return [one for one, own in zip(ranked, ranks, strict=True) if own == least]


def _med(one: Ranked) -> int:
    """A missing one is the lowest (RFC 4271 9.1.2.2 c)."""
    return one[0].med or 0


def _comparable(one: Ranked) -> Hashable:
    """Paths with equal values compare by MED: those of one neighbour AS, or of the own AS.

    An external path whose AS_PATH names no neighbour compares with no other.
    """
    neighbor = one[0].neighbor_as
    return one[1].peer if neighbor is None and not one[1].internal else neighbor


def _least_med(
    ranked: Sequence[Ranked], all_compare: bool, lost: list[tuple[Path, Verdict]]
) -> Sequence[Ranked]:
    if len(ranked) == 1:
        return ranked
    if all_compare:
        return _least(ranked, _med, Verdict.MED, lost)
    least: dict[Hashable, int] = {}
    for one in ranked:
        group, med = _comparable(one), _med(one)
        least[group] = min(med, least.get(group, med))
    left = [one for one in ranked if _med(one) == least[_comparable(one)]]
    if len(left) == len(ranked):
        return ranked
    lost += [(one[1], Verdict.MED) for one in ranked if _med(one) != least[_comparable(one)]]
    return left


def _router_id(one: Ranked) -> int:
    """ORIGINATOR_ID stands in for it (RFC 4456 9)."""
    originator = one[0].originator_id
    return one[1].router_id if originator is None else int(originator)


def _address(address: IPAddress) -> tuple[int, int]:
    return address.version, int(address)


class _Rest:
    """What tells apart the paths of one peer (RFC 7911); it is only looked at if all else is equal."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __lt__(self, other: _Rest) -> bool:
        return self._rank() < other._rank()

    def _rank(self) -> tuple[object, ...]:
        attributes = self._path.attributes
        return _address(attributes.next_hop), attributes.as_path, attributes.med or 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rest) and self._rank() == other._rank()


def _order(one: Ranked) -> tuple[object, ...]:
    """RFC 4271 9.1.2.2 f) and g), RFC 4456 9; then what tells apart the paths of one peer (RFC 7911)."""
    peer = one[1].peer
    return _router_id(one), one[0].cluster_list_length, _address(peer.address), peer.port, _Rest(one[1])


def _tie_break(best: Ranked, other: Ranked) -> Verdict:
    """Which of the last steps put `best` before `other`."""
    if _router_id(best) != _router_id(other):
        return Verdict.ROUTER_ID
    if best[0].cluster_list_length != other[0].cluster_list_length:
        return Verdict.CLUSTER_LIST
    return Verdict.PEER_ADDRESS
