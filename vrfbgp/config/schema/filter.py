"""projectcalico.org/v3 BGPFilter: which routes are taken from a peer, and which are sent to it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from vrfbgp.config.schema.base import Resource, Strict
from vrfbgp.config.schema.faults import exclusive, out_of_range, wrong_type
from vrfbgp.config.schema.scalars import AsNumber, Int, Items, Network, Text, one_of, shown, within

_PRIORITY = within(1, 2147483646)


def _community(text: str) -> str:
    parts = [int(part) for part in text.split(":")] if re.fullmatch(r"\d{1,10}(:\d{1,10}){1,2}", text) else []
    bound = 0xFFFF if len(parts) == 2 else 0xFFFFFFFF
    if not parts or max(parts) > bound:
        raise out_of_range(f"must be a community as 65000:100 or 65000:1:2, is {shown(text)}")
    return text


CommunityValue = Annotated[Text, AfterValidator(_community)]


class PrefixLength(Strict):
    min: Annotated[Int, within(0, 128)] | None = None
    max: Annotated[Int, within(0, 128)] | None = None


class CommunityMatch(Strict):
    values: Annotated[tuple[CommunityValue, ...], Items]


class AddCommunity(Strict):
    value: CommunityValue


class PrependAsPath(Strict):
    prefix: Annotated[tuple[AsNumber, ...], Items]


class SetPriority(Strict):
    value: Annotated[Int, _PRIORITY]


class Operation(Strict):
    """One change of an accepted route."""

    add_community: AddCommunity | None = None
    prepend_as_path: Annotated[PrependAsPath | None, Field(alias="prependASPath")] = None
    set_priority: SetPriority | None = None


class FilterRule(Strict):
    """The first rule whose every condition holds decides; a route that none matches is accepted."""

    action: Annotated[Text, one_of("Accept", "Reject")]
    cidr: Network | None = None
    match_operator: Annotated[Text, one_of("Equal", "NotEqual", "In", "NotIn")] | None = None
    prefix_length: PrefixLength | None = None
    source: Annotated[Text, one_of("RemotePeers")] | None = None
    interface: Text = ""
    peer_type: Annotated[Text, one_of("eBGP", "iBGP")] | None = None
    communities: CommunityMatch | None = None
    as_path_prefix: Annotated[tuple[AsNumber, ...], Items] = ()
    priority: Annotated[Int, _PRIORITY] | None = None
    operations: Annotated[tuple[Operation, ...], Items] = ()

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
    export_v4: Annotated[tuple[FilterRule, ...], Items] = ()
    import_v4: Annotated[tuple[FilterRule, ...], Items] = ()
    export_v6: Annotated[tuple[FilterRule, ...], Items] = ()
    import_v6: Annotated[tuple[FilterRule, ...], Items] = ()

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
