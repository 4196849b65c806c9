"""projectcalico.org/v3 FelixConfiguration: the switches of external networks, among many of Felix's own.

The `default` one holds for the cluster; `node.NAME` overrides it field by field.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, create_model, model_validator

from vrfbgp.config.schema.base import Resource, Strict
from vrfbgp.config.schema.effect import ACTED, Remark, Unset
from vrfbgp.config.schema.faults import exclusive, out_of_range
from vrfbgp.config.schema.felix_fields import FIELDS
from vrfbgp.config.schema.scalars import Int, Text, Uint32, one_of_any_case


class TableRange(Strict):
    """Routing tables that Felix uses, both ends included."""

    min: Annotated[Uint32, ACTED]
    """The first of them."""
    max: Annotated[Uint32, ACTED]
    """The last of them."""

    @model_validator(mode="after")
    def _ordered(self) -> TableRange:
        if self.min > self.max:
            raise out_of_range(f"is larger than max, which is {self.max}", "min")
        return self


class _Acted(Strict):
    external_network_support: Annotated[
        Annotated[Text, one_of_any_case("Disabled", "Enabled")], Unset("`Disabled`"), ACTED
    ] = ""
    """`Enabled`: the networks work. Otherwise there is nothing of ours, and one line in `check` and
    `status` says why. Empty on `node.NAME`: as `default` has it.
    """
    external_network_routing_rule_priority: Annotated[Int | None, Unset("102"), ACTED] = None
    """Where the [rules](#rules) stand. They must all fit between 1 and 32765, else it is refused."""
    route_table_ranges: Annotated[tuple[TableRange, ...] | None, Unset("1–250"), ACTED] = None
    """Tables that Felix takes, as a list of `min` and `max`. No network may have one of them: refused if
    you set the ranges, a notice if they are the default.
    """
    route_table_range: Annotated[TableRange | None, ACTED] = None
    """The old spelling of `routeTableRanges`, for one of them."""
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
