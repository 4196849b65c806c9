"""v1 Node and v1 Secret: read for a few fields, open otherwise."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import Field

from vrfbgp.config.schema.base import Open, OpenResource
from vrfbgp.config.schema.effect import ACTED
from vrfbgp.config.schema.scalars import Items, StringMap, Text


class KubeNodeSpec(Open):
    pod_cidr: Annotated[Text, Field(alias="podCIDR"), ACTED] = ""
    """Part of the cluster."""
    pod_cidrs: Annotated[tuple[Text, ...], Items, Field(alias="podCIDRs"), ACTED] = ()
    """Part of the cluster."""


class KubeNodeAddress(Open):
    type: Annotated[Text, ACTED] = ""
    """`InternalIP` goes before `ExternalIP`; others are not the node's own."""
    address: Annotated[Text, ACTED] = ""
    """An address, or a host name, depending on `type`."""


class KubeNodeStatus(Open):
    addresses: Annotated[tuple[KubeNodeAddress, ...], Items, ACTED] = ()
    """The node's addresses, where Calico's Node has none. Part of the cluster."""


class KubeNode(OpenResource):
    spec: KubeNodeSpec = Field(default_factory=KubeNodeSpec)
    status: KubeNodeStatus = Field(default_factory=KubeNodeStatus)


class Secret(OpenResource):
    data: Annotated[StringMap, Field(repr=False), ACTED] = Field(default_factory=dict)
    """Values in base64."""
    string_data: Annotated[StringMap, Field(repr=False), ACTED] = Field(default_factory=dict)
    """Values as they are; they go before `data`."""

    def value(self, key: str) -> bytes | None:
        """The decoded value; None if there is none or it is no base64. stringData goes before data."""
        if key in self.string_data:
            return self.string_data[key].encode()
        try:
            return base64.b64decode(self.data[key], validate=True) if key in self.data else None
        except (binascii.Error, ValueError):
            return None
