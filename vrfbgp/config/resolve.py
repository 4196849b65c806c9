"""From typed objects to what this node is to do: the one place where all decisions come together.

Pure: the same objects, node and labels give the same Intent. What refers to something missing is degraded
and heals when it comes; objects that exclude each other refuse the whole config, or, leniently (there is
no config to fall back to), are degraded, all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vrfbgp.config.advertisements import advertisements_of
from vrfbgp.config.cluster import cluster_of
from vrfbgp.config.facts import HostFacts
from vrfbgp.config.findings import Findings, ordered
from vrfbgp.config.gateways import gateways_of, longest_list
from vrfbgp.config.networks import networks_of
from vrfbgp.config.node import NodeIdentity, identify
from vrfbgp.config.objects import Objects
from vrfbgp.config.peers import peers_of
from vrfbgp.config.switches import switches
from vrfbgp.intent import Intent, Problem, Reason, Severity

__all__ = ["HostFacts", "Refused", "resolve"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A config that does not hold together, and everything there is to say about it."""

    problems: tuple[Problem, ...]


def resolve(
    objects: Objects, *, node: str, labels: Mapping[str, str], host: HostFacts, lenient: bool = False
) -> Intent | Refused:
    """What the objects want of the node called `node`, whose labels `labels` add to and override."""
    if objects.refused and not lenient:
        return Refused(ordered(objects.problems))
    findings = Findings()
    identity = identify(objects, node, labels, host, findings)
    found = switches(objects, node, longest_list(objects.gateways), findings)
    peers = peers_of(objects, identity, findings)
    cluster = cluster_of(objects, identity)
    networks = networks_of(objects, identity, found, peers, cluster, findings)
    gateways = gateways_of(objects, identity, findings)
    advertisements = advertisements_of(objects, node, findings)
    if peers and identity.made_up_router_id:
        findings.tell(_made_up_router_id(identity))
    problems = ordered((*objects.problems, *findings.told, *findings.exclusions))
    if findings.exclusions and not lenient:
        return Refused(problems)
    return Intent(
        node=node,
        enabled=found.enabled,
        rule_priority=found.priority,
        networks=networks,
        gateways=gateways,
        cluster=cluster,
        advertisements=advertisements,
        problems=problems,
    )


def _made_up_router_id(identity: NodeIdentity) -> Problem:
    text = (
        f"No IPv4 address of the node is known, so the router id, {identity.router_id}, is made from its "
        "name: give the Node an address, or set routerID in the BGPConfiguration."
    )
    return Problem(Severity.NOTICE, Reason.MISSING_NODE, f"Node {identity.name}", text)
