"""What must hold of everything that a decoder yields, whatever it was fed; for hypothesis and the fuzzer."""

from __future__ import annotations

from vrfbgp.model import Attributes, Family, network_of, nlri_of
from vrfbgp.rib.decode import Announced, Prefixes, Update
from vrfbgp.rib.errors import Reason, SessionError, Treatment


def check(found: list[Update | SessionError], fed: int) -> None:
    """Raise AssertionError if the outcome of `fed` octets is none that a decoder may have."""
    assert len(found) <= fed // 23 + 1, "more outcomes than messages fit"
    for outcome in found[:-1]:
        assert isinstance(outcome, Update), "something came after a session error"
    for outcome in found:
        if isinstance(outcome, SessionError):
            assert outcome.code in (1, 3)
            assert 1 <= outcome.subcode <= 11
            assert str(outcome)
        else:
            _check_update(outcome, fed)


def _check_update(update: Update, fed: int) -> None:
    runs: list[Prefixes | Announced] = [*update.withdrawn, *update.announced]
    for run in runs:
        _check_run(run)
    assert sum(len(run.nlri) for run in runs) <= fed, "more prefixes than octets"
    assert len(set(update.faults)) == len(update.faults)
    worst = max((fault.treatment for fault in update.faults), default=Treatment.ATTRIBUTE_DISCARD)
    assert worst < Treatment.SESSION_RESET
    if worst is Treatment.TREAT_AS_WITHDRAW:
        assert not update.announced
        passed_over = any(fault.reason is Reason.FAMILY for fault in update.faults)
        assert update.withdrawn or passed_over, "a fault that costs routes, where none are (RFC 7606 5.2)"
    if update.end_of_rib is not None:
        assert not runs
        assert not update.faults
    assert all(map(str, update.faults))


def _check_run(run: Prefixes | Announced) -> None:
    assert run.nlri, "an empty run"
    assert not run.path_ids or len(run.path_ids) == len(run.nlri)
    for nlri in run.nlri:
        assert nlri_of(network_of(run.family, nlri)) == nlri, "a prefix with bits behind its length"
    if isinstance(run, Announced):
        _check_attributes(run.attributes, run.family)


def _check_attributes(attributes: Attributes, family: Family) -> None:
    assert family is Family.IPV4 or attributes.next_hop.version == 6, "IPv6 by an IPv4 next hop"
    assert not attributes.next_hop.is_unspecified
    assert not attributes.next_hop.is_multicast
    assert all(1 <= kind <= 4 and numbers and 0 not in numbers for kind, numbers in attributes.as_path)
    assert attributes.as_path_length >= 0
    assert hash(attributes) is not None
