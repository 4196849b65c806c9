"""The metrics there are: their names, kinds, labels and meanings, in one place.

`metrics.py` fills them; docs/metrics.md, the dashboard and the alerts are tested against them. None has a
label with as many values as there are prefixes, and none has a port: series outlive both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """How a metric behaves (Prometheus' words)."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Metric(NamedTuple):
    """One metric; `name` of a counter without the `_total` that it is shown with."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str

    @property
    def shown(self) -> str:
        """The name that queries use."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


_NETWORK = ("network",)
_PEER = ("network", "peer", "address")
_FAMILY = (*_PEER, "family")


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"vrfbgp_{name}", Kind.GAUGE, labels, meaning)


def _counter(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"vrfbgp_{name}", Kind.COUNTER, labels, meaning)


BUILD = _gauge("build_info", ("version",), "1; which version runs.")
EVENTS = _counter("events", ("code",), "Events by code, those that were not logged as repeats included.")

ENABLED = _gauge("enabled", (), "1 if externalNetworkSupport is Enabled.")
CONFIG_REFUSED = _gauge("config_refused", (), "1 while the newest config is refused and another one runs.")
CONFIG_APPLIED = _gauge("config_applied_timestamp_seconds", (), "When a config was taken last.")
PROBLEMS = _gauge("problems", ("severity",), "Problems that stand: degraded objects, notices.")
DRAIN = _gauge("drain_state", ("state",), "1 for how far a drain is: serving, if there is none.")

NETWORK_STATE = _gauge("network_state", (*_NETWORK, "state"), "1 for the state that the network is in.")
IN_SYNC = _gauge("network_in_sync", _NETWORK, "1 once all peers have sent what they have, or had their time.")
ROUTES = _gauge(
    "network_routes",
    (*_NETWORK, "family"),
    "Learned routes that the kernel is to have; backups are not counted.",
)
PENDING = _gauge(
    "network_routes_pending",
    (*_NETWORK, "family"),
    "Routes of ours that the kernel has not got as it should be; backups included.",
)
UPLINK = _gauge(
    "network_uplink_up", (*_NETWORK, "device"), "1 if this uplink of the network is up and has a carrier."
)
SPEAKER = _gauge("speaker_up", _NETWORK, "1 while the process that speaks for the network runs.")
BACKLOG = _gauge("network_backlog_bytes", _NETWORK, "UPDATEs that were received and wait for the core.")

PEER_UP = _gauge("peer_up", _PEER, "1 if the session is established and the peer can be reached.")
PEER_SINCE = _gauge("peer_state_seconds", _PEER, "How long it is so.")
RECEIVED = _gauge("peer_received_prefixes", _FAMILY, "Prefixes that the peer announces.")
ACCEPTED = _gauge("peer_accepted_prefixes", _FAMILY, "Those that import policy takes.")
REFUSED = _gauge("peer_refused_prefixes", (*_FAMILY, "reason"), "Those that it refuses, by reason.")
STALE = _gauge(
    "peer_stale_prefixes", _FAMILY, "Those that were kept over a restart and not announced again yet."
)
LIMIT = _gauge("peer_prefix_limit", _FAMILY, "maxPrefixes of the peer, if it has one.")
ANNOUNCED = _gauge(
    "peer_announced_prefixes", _PEER, "Gateways' addresses that the peer is told; 0 without a session."
)
UPDATES = _counter("peer_updates", _PEER, "UPDATE messages received.")
MALFORMED = _counter(
    "peer_malformed_updates", _PEER, "Malformed attributes and prefixes in this session (RFC 7606)."
)

GATEWAY_STATE = _gauge("gateway_state", ("gateway", "state"), "1 for the state that the gateway is in.")
GATEWAY_ADDRESSES = _gauge(
    "gateway_addresses", ("gateway",), "Addresses of the gateway that are on this node."
)

KERNEL_PENDING = _gauge(
    "kernel_pending", ("kind",), "Rules and next hops that are not in the kernel as they should be."
)
KERNEL_FAILED = _gauge("kernel_failed", (), "Objects that the kernel refused and that are tried again.")
KERNEL_SILENCE = _gauge(
    "kernel_silence_seconds",
    (),
    "How long the kernel has not answered what it was handed; 0 if nothing waits.",
)
CONTESTED = _gauge("kernel_contested", (), "Objects that somebody else undoes again and again.")
REPAIRS = _counter(
    "kernel_repairs", ("kind",), "Objects of ours that somebody else changed or deleted, put right."
)
MISSED = _counter("kernel_missed_changes", (), "Those of them that no event told of.")
COMPARISONS = _counter("kernel_comparisons", (), "Tables that were counted and compared.")
NO_ROUTE = _counter(
    "node_no_route_packets",
    ("family",),
    "Packets to be forwarded that no route was found for, in the whole network namespace: those of gateways "
    "that fail closed, and all others.",
)

METRICS: tuple[Metric, ...] = tuple(value for value in globals().values() if isinstance(value, Metric))
