"""projectcalico.org/v3 FelixConfiguration: the switches of external networks, among many of Felix's own.

The `default` one holds for the cluster; `node.NAME` overrides it field by field.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, create_model, model_validator

from vrfbgp.config.schema.base import Resource, Strict
from vrfbgp.config.schema.effect import ACTED, Remark
from vrfbgp.config.schema.faults import exclusive, out_of_range
from vrfbgp.config.schema.felix_fields import FIELDS
from vrfbgp.config.schema.scalars import Int, Text, Uint32, one_of_any_case


class TableRange(Strict):
    """Routing tables that Felix uses, both ends included."""

    min: Annotated[Uint32, ACTED]
    max: Annotated[Uint32, ACTED]

    @model_validator(mode="after")
    def _ordered(self) -> TableRange:
        if self.min > self.max:
            raise out_of_range(f"is larger than max, which is {self.max}", "min")
        return self


class _Acted(Strict):
    external_network_support: Annotated[Annotated[Text, one_of_any_case("Disabled", "Enabled")], ACTED] = ""
    """"" and Disabled are one; "" lets an override leave it as it is."""
    external_network_routing_rule_priority: Annotated[Int | None, ACTED] = None
    """None: 102. Whether the rules fit around it is seen when they are laid out."""
    route_table_ranges: Annotated[tuple[TableRange, ...] | None, ACTED] = None
    route_table_range: Annotated[TableRange | None, ACTED] = None
    egress_ip_support: Annotated[
        Text,
        one_of_any_case("Disabled", "EnabledPerNamespace", "EnabledPerNamespaceOrPerPod"),
        Field(alias="egressIPSupport"),
        Remark("external networks work whatever it says"),
    ] = ""

    @model_validator(mode="after")
    def _one_spelling(self) -> _Acted:
        if self.route_table_range is not None and self.route_table_ranges is not None:
            raise exclusive(
                "stands together with routeTableRanges, which replaces it: remove it", "routeTableRange"
            )
        return self


class FelixConfigurationSpec(
    create_model("_AllFields", __base__=_Acted, **FIELDS)  # type: ignore[misc]
):
    """The fields above, and Felix's own."""


class FelixConfiguration(Resource):
    spec: FelixConfigurationSpec = Field(default_factory=lambda: FelixConfigurationSpec())
