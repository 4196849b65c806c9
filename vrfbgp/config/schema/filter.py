"""projectcalico.org/v3 BGPFilter: which routes are taken from a peer, and which are sent to it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vrfbgp.config.schema.base import Resource, Strict
from vrfbgp.config.schema.effect import ACTED, Remark
from vrfbgp.config.schema.faults import exclusive, wrong_type
from vrfbgp.config.schema.scalars import AsNumber, CommunityValue, Int, Items, Network, Text, one_of, within

_PRIORITY = within(1, 2147483646)


class PrefixLength(Strict):
    min: Annotated[Annotated[Int, within(0, 128)] | None, ACTED] = None
    max: Annotated[Annotated[Int, within(0, 128)] | None, ACTED] = None


class CommunityMatch(Strict):
    values: Annotated[tuple[CommunityValue, ...], Items, ACTED]


class AddCommunity(Strict):
    value: Annotated[CommunityValue, ACTED]


class PrependAsPath(Strict):
    prefix: Annotated[tuple[AsNumber, ...], Items, ACTED]


class SetPriority(Strict):
    value: Annotated[Int, _PRIORITY, ACTED]


class Operation(Strict):
    """One change of an accepted route."""

    add_community: Annotated[AddCommunity | None, ACTED] = None
    prepend_as_path: Annotated[PrependAsPath | None, Field(alias="prependASPath"), ACTED] = None
    set_priority: Annotated[
        SetPriority | None, Remark("all routes of a network have one metric (ExternalNetwork.spec.metric)")
    ] = None


class FilterRule(Strict):
    """The first rule whose every condition holds decides; a route that none matches is accepted."""

    action: Annotated[Text, one_of("Accept", "Reject"), ACTED]
    cidr: Annotated[Network | None, ACTED] = None
    match_operator: Annotated[Annotated[Text, one_of("Equal", "NotEqual", "In", "NotIn")] | None, ACTED] = (
        None
    )
    prefix_length: Annotated[PrefixLength | None, ACTED] = None
    source: Annotated[Annotated[Text, one_of("RemotePeers")] | None, ACTED] = None
    interface: Annotated[Text, ACTED] = ""
    peer_type: Annotated[Annotated[Text, one_of("eBGP", "iBGP")] | None, ACTED] = None
    communities: Annotated[CommunityMatch | None, ACTED] = None
    as_path_prefix: Annotated[tuple[AsNumber, ...], Items, ACTED] = ()
    priority: Annotated[Annotated[Int, _PRIORITY] | None, ACTED] = None
    operations: Annotated[tuple[Operation, ...], Items, ACTED] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> FilterRule:
        if (self.cidr is None) != (self.match_operator is None):
            missing = "cidr" if self.cidr is None else "matchOperator"
            given = "matchOperator" if self.cidr is None else "cidr"
            raise wrong_type(f"needs {missing}, which is missing", given)
        if self.prefix_length is not None and self.cidr is None:
            raise wrong_type("needs cidr, which is missing", "prefixLength")
        if self.operations and self.action != "Accept":
            raise exclusive("stand in a rule that rejects: remove them or accept", "operations")
        return self


class BGPFilterSpec(Strict):
    export_v4: Annotated[tuple[FilterRule, ...], Items, ACTED] = ()
    import_v4: Annotated[tuple[FilterRule, ...], Items, ACTED] = ()
    export_v6: Annotated[tuple[FilterRule, ...], Items, ACTED] = ()
    import_v6: Annotated[tuple[FilterRule, ...], Items, ACTED] = ()

    @model_validator(mode="after")
    def _families(self) -> BGPFilterSpec:
        for alias, version, rules in (
            ("exportV4", 4, self.export_v4),
            ("importV4", 4, self.import_v4),
            ("exportV6", 6, self.export_v6),
            ("importV6", 6, self.import_v6),
        ):
            bits = 32 if version == 4 else 128
            for rule in rules:
                if rule.cidr is not None and rule.cidr.version != version:
                    raise wrong_type(f"holds {rule.cidr}, which is no IPv{version} prefix", alias)
                length = rule.prefix_length
                if length and max(length.min or 0, length.max or 0) > bits:
                    raise wrong_type(f"holds a prefixLength beyond {bits}", alias)
        return self


class BGPFilter(Resource):
    spec: BGPFilterSpec = Field(default_factory=BGPFilterSpec)
