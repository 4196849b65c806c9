"""projectcalico.org/v3 ExternalNetwork: a network outside the cluster, and its routing table."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vrfbgp.config.schema.base import Resource, Strict
from vrfbgp.config.schema.effect import ACTED, OURS
from vrfbgp.config.schema.faults import wrong_type
from vrfbgp.config.schema.scalars import (
    Address,
    EnabledDisabled,
    ExactNetwork,
    Int,
    InterfaceName,
    Items,
    Seconds,
    Text,
    Uint32,
    one_of,
    within,
)
from vrfbgp.model import METRIC


class BootstrapRoute(Strict):
    """A route that the user wants in the network's table; a gateway, an interface, or both."""

    destination: Annotated[ExactNetwork, ACTED]
    """The prefix, or an address alone."""
    gateway: Annotated[Address | None, ACTED] = None
    """The next hop. None: the destination is on the interface's own link."""
    interface: Annotated[InterfaceName, ACTED] = ""
    """The device that it leaves by; needed if there is no gateway."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> BootstrapRoute:
        if self.gateway is None and not self.interface:
            raise wrong_type("leads nowhere: give gateway, interface, or both", "destination")
        if self.gateway is not None and self.gateway.version != self.destination.version:
            raise wrong_type("is of another address family than destination", "gateway")
        return self


class ExternalNetworkSpec(Strict):
    """The fields but the first are ours."""

    route_table_index: Annotated[Uint32, ACTED]
    """The kernel's number of the table. 0 and 253–255 are the kernel's own, and refused, as are numbers
    within `routeTableRanges` and one number for two networks. A table that a rule of others looks up, or
    that holds routes of another routing program, degrades the network; static routes of yours in it are
    welcome, and win over learned ones.
    """
    failure_mode: Annotated[Annotated[Text, one_of("Closed", "Open")], OURS, ACTED] = "Closed"
    """`Closed`: what the network has no route for is unreachable. `Open`: it may fall through to table
    main, if *all* networks of the gateway are `Open`.
    """
    bootstrap_routes: Annotated[tuple[BootstrapRoute, ...], Items, OURS, ACTED] = ()
    """Routes in the network's table from the start: `destination`, and `gateway`, `interface`, or both.
    For peers that are further away. Connected routes that lead to the peers are found without being
    listed, and followed.
    """
    max_paths: Annotated[Annotated[Int, within(1, 256)], OURS, ACTED] = 16
    """Next hops that share the traffic of one prefix (ECMP)."""
    multipath_relax: Annotated[EnabledDisabled, OURS, ACTED] = "Enabled"
    """Whether paths that are equally good share the traffic although they lead through different ASes, as
    they do in Calico. `Disabled`: only those with the AS_PATH of the best one.
    """
    always_compare_med: Annotated[EnabledDisabled, Field(alias="alwaysCompareMED"), OURS, ACTED] = "Disabled"
    """Whether MEDs compare between paths from different neighbour ASes, too (RFC 4271 9.1.2.2 c). A path
    without a MED has the lowest, 0.
    """
    backup_routes: Annotated[EnabledDisabled, OURS, ACTED] = "Enabled"
    """Where a prefix has a path beyond its best ones, a second route with the next metric stands ready on
    the next best: when a peer dies or a link goes down, the kernel uses it in the same instant, and
    nothing is written. Costs about 60 octets of kernel memory a prefix.
    """
    max_routes: Annotated[Annotated[Int, within(1, 2**31 - 1)] | None, OURS, ACTED] = None
    """How many prefixes are learned in each family, from all peers together. The excess is not taken, nor
    kept, and is [asked for](reload.md#route-refresh) when there is room; `status` says so, and warns from
    75 % on. Not set, there is no limit, unless [memory has one](isolation.md#what-a-hostile-peer-can-do).
    """
    default_route: Annotated[Annotated[Text, one_of("Accept", "Reject")], OURS, ACTED] = "Accept"
    """Whether a default route is learned; it stays in the network's table."""
    cluster_prefixes: Annotated[Annotated[Text, one_of("Reject", "Accept")], OURS, ACTED] = "Reject"
    """Whether prefixes within the cluster's own ranges ([CLUSTER](#rules)) are learned. One that covers
    such a range is learned in any case: the cluster stays reachable, since the rules come first.
    """
    stale_time: Annotated[Annotated[Seconds, within(0, 4095)], OURS, ACTED] = 120
    """How long paths of a peer that restarts gracefully are kept at most, whatever time it asks for."""
    metric: Annotated[Annotated[Int, within(1, 2**32 - 2)], OURS, ACTED] = METRIC
    """Metric of our routes; the next one is that of their backups. A route of yours with a lower one wins."""


class ExternalNetwork(Resource):
    spec: ExternalNetworkSpec = Field(...)
