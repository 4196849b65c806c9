"""projectcalico.org/v3 IPPool: a range that Calico takes addresses of pods and gateways from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vrfbgp.config.schema.base import Open, Resource, Strict
from vrfbgp.config.schema.effect import ACTED, Remark
from vrfbgp.config.schema.scalars import (
    Bool,
    ExactNetwork,
    Int,
    Items,
    LabelSelector,
    Text,
    one_of,
    within,
)
from vrfbgp.config.select import parse

_IPAM = Remark("Calico gives the addresses out")
_FABRIC = Remark("Calico carries the traffic between nodes")
_ALL = parse("all()")
_MODE = one_of("Never", "Always", "CrossSubnet", "")


class IPPoolSpec(Strict):
    cidr: Annotated[ExactNetwork, ACTED]
    """The range."""
    disable_bgp_export: Annotated[Bool, Field(alias="disableBGPExport"), ACTED] = False
    """`true`: addresses of this pool are never announced."""
    allowed_uses: Annotated[
        tuple[
            Annotated[
                Text, one_of("Workload", "Tunnel", "LoadBalancer", "HostSecondaryInterface", "L2Workload")
            ],
            ...,
        ],
        Items,
        _IPAM,
    ] = ("Workload", "Tunnel")
    assignment_mode: Annotated[Annotated[Text, one_of("Automatic", "Manual")], _IPAM] = "Automatic"
    aws_subnet_id: Annotated[Text, Field(alias="awsSubnetID"), _IPAM] = ""
    block_size: Annotated[Annotated[Int, within(0, 128)] | None, _IPAM] = None
    disabled: Annotated[Bool, _IPAM] = False
    namespace_selector: Annotated[LabelSelector, _IPAM] = None
    node_selector: Annotated[LabelSelector, _IPAM] = _ALL
    nat_outgoing: Annotated[Bool, _FABRIC] = False
    ipip_mode: Annotated[Annotated[Text, _MODE], Field(alias="ipipMode"), _FABRIC] = "Never"
    vxlan_mode: Annotated[Annotated[Text, _MODE], Field(alias="vxlanMode"), _FABRIC] = "Never"
    ipip: Annotated[Open | None, _FABRIC] = None
    """Of Calico's first API version, as `nat-outgoing`; old dumps hold them."""
    old_nat_outgoing: Annotated[Bool, Field(alias="nat-outgoing"), _FABRIC] = False


class IPPool(Resource):
    spec: IPPoolSpec = Field(...)
