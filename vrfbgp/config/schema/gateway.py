"""operator.tigera.io/v1 EgressGateway: pods whose addresses stand for others' traffic outside."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vrfbgp.config.schema.base import Open, Reference, Resource, Strict
from vrfbgp.config.schema.effect import ACTED, Remark, Unset
from vrfbgp.config.schema.faults import exclusive, wrong_type
from vrfbgp.config.schema.scalars import (
    EnabledDisabled,
    ExactNetwork,
    Int,
    Int32,
    Items,
    StringMap,
    Text,
    one_of,
    within,
)

_PODS = Remark("the gateway's pods are not run from here")
_COUNT = within(0, 2147483647)


class PoolRef(Strict):
    """A pool by its name, or a range; if both are given, the range is a part of the pool."""

    name: Annotated[Reference, ACTED] = ""
    """An `IPPool`."""
    cidr: Annotated[ExactNetwork | None, ACTED] = None
    """A range; beside a `name`, a part of that pool."""

    @model_validator(mode="after")
    def _says_something(self) -> PoolRef:
        if not self.name and self.cidr is None:
            raise wrong_type("needs name or cidr, has neither", "")
        return self


class PodSpec(Open):
    node_selector: Annotated[StringMap, Unset("all nodes"), ACTED] = Field(default_factory=dict)
    """Labels that a node must have for the gateway to be steered there. `kubernetes.io/hostname` and
    `kubernetes.io/os` are known without a Node.
    """


class PodTemplate(Open):
    """Open: it is Kubernetes' pod template, and only where the pods may run matters here."""

    spec: Annotated[PodSpec | None, ACTED] = None
    """Kubernetes' pod spec."""


class Probe(Strict):
    ips: Annotated[tuple[Text, ...], Items] = ()
    urls: Annotated[tuple[Text, ...], Items] = ()
    interval_seconds: Annotated[Int, _COUNT] | None = None
    timeout_seconds: Annotated[Int, _COUNT] | None = None


class FailureDetection(Strict):
    health_timeout_data_store_seconds: Annotated[Int, within(1, 2147483647)] = 90
    icmp_probe: Probe | None = None
    http_probe: Probe | None = None


class Aws(Strict):
    native_ip: Annotated[EnabledDisabled, Field(alias="nativeIP")] = "Disabled"
    elastic_ips: Annotated[tuple[Text, ...], Items, Field(alias="elasticIPs")] = ()


class AdditionalInterface(Strict):
    name: Text
    attachment: Open | None = None
    ip_pools: Annotated[tuple[PoolRef, ...], Items, Field(alias="ipPools")] = ()


class EgressGatewaySpec(Strict):
    ip_pools: Annotated[tuple[PoolRef, ...], Items, Field(alias="ipPools"), ACTED]
    """Its addresses: `cidr`, or the `name` of an `IPPool`, or both (then the `cidr` is a part of the
    pool). A bare `cidr` needs no pool. Ranges of gateways with different networks must not overlap:
    refused, and at a start both are closed.
    """
    external_networks: Annotated[tuple[Reference, ...], Items, ACTED] = ()
    """The networks, in the order in which they are asked. The first that has *any* route for a
    destination takes it, a default route included; overlaps are told in `status`. One that is missing
    keeps its place and degrades the gateway; the others work.
    """
    template: Annotated[PodTemplate | None, ACTED] = None
    """Kubernetes' pod template, of which only the node selector matters here."""
    replicas: Annotated[Annotated[Int32, _COUNT], _PODS] = 1
    log_severity: Annotated[
        Annotated[Text, one_of("Trace", "Debug", "Info", "Warn", "Error", "Fatal")], _PODS
    ] = "Info"
    egress_gateway_failure_detection: Annotated[FailureDetection | None, _PODS] = None
    aws: Annotated[Aws | None, _PODS] = None
    additional_interfaces: Annotated[tuple[AdditionalInterface, ...], Items, _PODS] = ()
    network: Annotated[Reference, Remark("a Calico Network is no external network")] = ""

    @model_validator(mode="after")
    def _one_kind_of_network(self) -> EgressGatewaySpec:
        if self.network and self.external_networks:
            raise exclusive("stands together with externalNetworks: remove one of them", "network")
        return self


class EgressGateway(Resource):
    spec: EgressGatewaySpec = Field(...)
