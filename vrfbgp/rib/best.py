"""Which of the paths to a prefix are used: the decision process of RFC 4271 9.1.2.2, with multipath.

`select` removes paths step by step, as the RFC words it, so that the outcome never depends on the order of
arrival (MED, which does not compare between neighbour ASes, makes comparing pair by pair depend on it). All
that are left after "external before internal" carry traffic together, whatever ASes they lead through;
the last steps (router id, cluster list, peer address) only say which of them is the best.

There is no interior cost: a next hop is on an uplink or it is not, and the path not eligible.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vrfbgp.model import IPAddress, Path

DEFAULT_LOCAL_PREF = 100


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


def select(paths: Sequence[Path], *, max_paths: int, always_compare_med: bool = False) -> Selection:
    """Choose among eligible paths of one prefix, at most `max_paths` (1 or more) of them.

    MED compares between paths from one neighbour AS, or between all with `always_compare_med`.
    """
    if len(paths) == 1:
        return Selection((paths[0],))
    if not paths:
        return NOTHING
    lost: list[tuple[Path, Verdict]] = []
    left = _least(paths, _local_pref, Verdict.LOCAL_PREF, lost)
    left = _least(left, lambda path: path.attributes.as_path_length, Verdict.AS_PATH_LENGTH, lost)
    left = _least(left, lambda path: path.attributes.origin, Verdict.ORIGIN, lost)
    left = _least_med(left, always_compare_med, lost)
    left = _least(left, lambda path: path.internal, Verdict.EXTERNAL_PREFERRED, lost)
    if len(left) > 1:
        left = sorted(left, key=_order)
    best, beyond = left[:max_paths], left[max_paths:]
    lost += [(path, Verdict.MAX_PATHS if max_paths > 1 else _tie_break(best[0], path)) for path in beyond]
    return Selection(tuple(best), tuple(lost))


def _local_pref(path: Path) -> int:
    local_pref = path.attributes.local_pref
    return -(DEFAULT_LOCAL_PREF if local_pref is None else local_pref)


def _least(
    paths: Sequence[Path], rank: Callable[[Path], int], verdict: Verdict, lost: list[tuple[Path, Verdict]]
) -> Sequence[Path]:
    if len(paths) == 1:
        return paths
    ranks = [rank(path) for path in paths]
    least = min(ranks)
    if ranks.count(least) == len(ranks):
        return paths
    ranked = list(zip(paths, ranks, strict=True))
    lost += [(path, verdict) for path, own in ranked if own != least]
    return [path for path, own in ranked if own == least]


def _med(path: Path) -> int:
    """A missing one is the lowest (RFC 4271 9.1.2.2 c)."""
    return path.attributes.med or 0


def _comparable(path: Path) -> Hashable:
    """Paths with equal values compare by MED: those of one neighbour AS, or of the own AS.

    An external path whose AS_PATH names no neighbour compares with no other.
    """
    neighbor = path.attributes.neighbor_as
    return path.peer if neighbor is None and not path.internal else neighbor


def _least_med(paths: Sequence[Path], all_compare: bool, lost: list[tuple[Path, Verdict]]) -> Sequence[Path]:
    if len(paths) == 1:
        return paths
    if all_compare:
        return _least(paths, _med, Verdict.MED, lost)
    least: dict[Hashable, int] = {}
    for path in paths:
        group, med = _comparable(path), _med(path)
        least[group] = min(med, least.get(group, med))
    left = [path for path in paths if _med(path) == least[_comparable(path)]]
    if len(left) == len(paths):
        return paths
    lost += [(path, Verdict.MED) for path in paths if _med(path) != least[_comparable(path)]]
    return left


def _router_id(path: Path) -> int:
    """ORIGINATOR_ID stands in for it (RFC 4456 9)."""
    originator = path.attributes.originator_id
    return path.router_id if originator is None else int(originator)


def _address(address: IPAddress) -> tuple[int, int]:
    return address.version, int(address)


def _order(path: Path) -> tuple[object, ...]:
    """RFC 4271 9.1.2.2 f) and g), RFC 4456 9; then what tells apart the paths of one peer (RFC 7911)."""
    attributes = path.attributes
    return (
        _router_id(path),
        len(attributes.cluster_list),
        _address(path.peer.address),
        path.peer.port,
        _address(attributes.next_hop),
        attributes.as_path,
        _med(path),
    )


def _tie_break(best: Path, other: Path) -> Verdict:
    """Which of the last steps put `best` before `other`."""
    if _router_id(best) != _router_id(other):
        return Verdict.ROUTER_ID
    if len(best.attributes.cluster_list) != len(other.attributes.cluster_list):
        return Verdict.CLUSTER_LIST
    return Verdict.PEER_ADDRESS
