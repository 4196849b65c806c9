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
    gateway: Annotated[Address | None, ACTED] = None
    interface: Annotated[InterfaceName, ACTED] = ""

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
    """The kernel's number of the table; the reserved ones are refused later, with the others' reasons."""
    failure_mode: Annotated[Annotated[Text, one_of("Closed", "Open")], OURS, ACTED] = "Closed"
    bootstrap_routes: Annotated[tuple[BootstrapRoute, ...], Items, OURS, ACTED] = ()
    max_paths: Annotated[Annotated[Int, within(1, 256)], OURS, ACTED] = 16
    backup_routes: Annotated[EnabledDisabled, OURS, ACTED] = "Enabled"
    max_routes: Annotated[Annotated[Int, within(1, 2**31 - 1)] | None, OURS, ACTED] = None
    default_route: Annotated[Annotated[Text, one_of("Accept", "Reject")], OURS, ACTED] = "Accept"
    cluster_prefixes: Annotated[Annotated[Text, one_of("Reject", "Accept")], OURS, ACTED] = "Reject"
    stale_time: Annotated[Annotated[Seconds, within(0, 4095)], OURS, ACTED] = 120
    metric: Annotated[Annotated[Int, within(1, 2**32 - 2)], OURS, ACTED] = METRIC
    """The next one is that of the backup routes."""


class ExternalNetwork(Resource):
    spec: ExternalNetworkSpec = Field(...)
