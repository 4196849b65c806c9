"""projectcalico.org/v3 BGPFilter: which routes are taken from a peer, and which are sent to it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vrfbgp.config.schema.base import Resource, Strict
from vrfbgp.config.schema.effect import ACTED, OURS
from vrfbgp.config.schema.faults import exclusive, wrong_type
from vrfbgp.config.schema.scalars import (
    AsNumber,
    CommunityValue,
    Int,
    Items,
    Network,
    Text,
    Uint32,
    one_of,
    within,
)

_PRIORITY = within(1, 2147483646)


class PrefixLength(Strict):
    min: Annotated[Annotated[Int, within(0, 128)] | None, ACTED] = None
    """The shortest that matches."""
    max: Annotated[Annotated[Int, within(0, 128)] | None, ACTED] = None
    """The longest that matches."""


class CommunityMatch(Strict):
    values: Annotated[tuple[CommunityValue, ...], Items, ACTED]
    """One of them is enough: standard (`65000:100`) or large (`65000:1:2`)."""


class AddCommunity(Strict):
    value: Annotated[CommunityValue, ACTED]
    """What is added, as in `communities.values`."""


class PrependAsPath(Strict):
    prefix: Annotated[tuple[AsNumber, ...], Items, ACTED]
    """What comes before the AS_PATH, the first of it first."""


class SetPriority(Strict):
    value: Annotated[Int, _PRIORITY, ACTED]
    """The lower, the better."""


class SetMed(Strict):
    value: Annotated[Uint32, ACTED]
    """The lower, the better."""


class Operation(Strict):
    """One change of an accepted route: just one field of these."""

    add_community: Annotated[AddCommunity | None, ACTED] = None
    """A community beside those that the route has."""
    prepend_as_path: Annotated[PrependAsPath | None, Field(alias="prependASPath"), ACTED] = None
    """AS numbers before those that the route has."""
    set_priority: Annotated[SetPriority | None, ACTED] = None
    """A priority, as [Calico](#priorities) has it: LOCAL_PREF becomes 2147483647 less it."""
    set_med: Annotated[SetMed | None, Field(alias="setMED"), OURS, ACTED] = None
    """The MED (MULTI_EXIT_DISC, RFC 4271 5.1.4), instead of the one that the route has."""

    @model_validator(mode="after")
    def _just_one(self) -> Operation:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise wrong_type("must have one operation: give several as several items of the list")
        return self


class FilterRule(Strict):
    """The first rule whose every condition holds decides; a route that none matches is accepted."""

    action: Annotated[Text, one_of("Accept", "Reject"), ACTED]
    """What becomes of a route that matches."""
    cidr: Annotated[Network | None, ACTED] = None
    """Together with `matchOperator`: which prefixes."""
    match_operator: Annotated[Annotated[Text, one_of("Equal", "NotEqual", "In", "NotIn")] | None, ACTED] = (
        None
    )
    """`In`: the prefix is within the CIDR, and its length is between `min` and `max`. `Equal`: it is the
    CIDR. `NotIn` and `NotEqual`: the opposites.
    """
    prefix_length: Annotated[PrefixLength | None, ACTED] = None
    """Bounds of the prefix's length; needs `cidr`."""
    source: Annotated[Annotated[Text, one_of("RemotePeers")] | None, ACTED] = None
    """`RemotePeers`: learned by BGP, as all that is imported is, and nothing that is exported."""
    interface: Annotated[Text, ACTED] = ""
    """A pattern (`eth*`) for the device that leads to the peer; no exported route has one."""
    peer_type: Annotated[Annotated[Text, one_of("eBGP", "iBGP")] | None, ACTED] = None
    """Which kind of session."""
    communities: Annotated[CommunityMatch | None, ACTED] = None
    """Which communities it has."""
    as_path_prefix: Annotated[tuple[AsNumber, ...], Items, ACTED] = ()
    """The AS_PATH begins with these."""
    priority: Annotated[Annotated[Int, _PRIORITY] | None, ACTED] = None
    """The route's metric in the kernel: the network's `metric`. No exported route has one."""
    operations: Annotated[tuple[Operation, ...], Items, ACTED] = ()
    """Changes of what is accepted, which best path sees, or the peer."""

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
    """Rules for the IPv4 addresses of gateways that a peer is told."""
    import_v4: Annotated[tuple[FilterRule, ...], Items, ACTED] = ()
    """Rules for the IPv4 routes that are taken from a peer."""
    export_v6: Annotated[tuple[FilterRule, ...], Items, ACTED] = ()
    """Rules for the IPv6 addresses of gateways that a peer is told."""
    import_v6: Annotated[tuple[FilterRule, ...], Items, ACTED] = ()
    """Rules for the IPv6 routes that are taken from a peer."""

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
