"""Why a gateway's packets find no route: the first thing that is missing in each network, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from vrfbgp.core import Core
from vrfbgp.intent import GatewayIntent, Severity
from vrfbgp.model import Family, IPAddress, Nlri, Rule, network_of
from vrfbgp.network import Network
from vrfbgp.notification import describe
from vrfbgp.rib.reach import covering
from vrfbgp.views.advice import advice
from vrfbgp.views.arrival import withdrawn
from vrfbgp.views.prefix import paths
from vrfbgp.views.table import DEFAULT_ROUTE, RouteState, Table
from vrfbgp.views.words import Json, endpoint, kernel_words, places


def of_source(core: Core, src: IPAddress) -> GatewayIntent | None:
    """The gateway that an address belongs to."""
    for gateway in core.intent.gateways if core.intent else ():
        if any(src in source for source in gateway.ranges):
            return gateway
    return None


def of_gateway(core: Core, gateway: GatewayIntent, src: IPAddress, dst: IPAddress, now: float) -> list[Json]:
    """What keeps the gateway's packets from each of its networks, in their order."""
    if gateway.isolated:
        found = [missing(None, problem.text) for problem in gateway.degraded]
        return found or [missing(None, "the gateway's ranges exclude another gateway's; all is unreachable")]
    if not core.drain.steers:
        return [missing(None, "the node is drained", "take it back: vrfbgp drain --undo")]
    found = list(_rules(core, src))
    told = (_of_network(core, name, dst, now) for name in gateway.networks)
    return found + [one for one in told if one is not None]


def ahead(core: Core, gateway: GatewayIntent, rule: Rule) -> Json:
    """Somebody else's rule takes the gateway's packets before any of ours is asked."""
    behind = (core.intent.rule_priority if core.intent else rule.priority) + len(gateway.networks)
    remedy = f"remove it, or give it a priority above {behind}"
    return missing(None, f"the rule '{rule}' is somebody else's, and takes the packets first", remedy)


def _rules(core: Core, src: IPAddress) -> Iterator[Json]:
    for rule, wanted, _ in core.reconciler.rules.pending():
        if wanted and rule.src is not None and src in rule.src:
            refused = core.reconciler.retry.get(rule)
            why = f"the kernel refuses it: {kernel_words(refused.failure)}" if refused else "it is on its way"
            yield missing(None, f"the rule '{rule}' does not stand yet: {why}")


def _of_network(core: Core, name: str, dst: IPAddress, now: float) -> Json | None:
    """The first thing that is missing; None if it has a route, and it is no fault of the network's."""
    intent = core.intent
    wanted = next((network for network in intent.networks if network.name == name), None) if intent else None
    if wanted is None:
        remedy = "create it, or take it out of the gateway's externalNetworks"
        return missing(name, "there is no such ExternalNetwork", remedy)
    network = core.networks.get(name)
    if network is None or name not in places(core):
        problems = [*wanted.degraded, *core.problems.about(f"ExternalNetwork {name}")]
        told = [problem.text for problem in problems if problem.severity is not Severity.NOTICE]
        return missing(name, told[0] if told else "it does not run yet: the kernel's tables are being read")
    table = Table(core, name)
    found = _announced(core, table, dst, now) or _sessions(core, network)
    if found:
        return found
    if any(
        table.state(Family.of(dst), nlri) is RouteState.INSTALLED for nlri in (*covering(dst), DEFAULT_ROUTE)
    ):
        return None
    text = f"none of its peers announces a prefix with {dst} in it"
    gone = withdrawn(network, Family.of(dst), {*covering(dst), DEFAULT_ROUTE}, now)
    return missing(name, text, "let the network's router announce one") | {"withdrawn": gone}


def _announced(core: Core, table: Table, dst: IPAddress, now: float) -> Json | None:
    """The longest prefix that is announced and is not in the kernel."""
    family = Family.of(dst)
    for nlri in (*covering(dst), DEFAULT_ROUTE):
        state = table.state(family, nlri)
        if state is None or state in (RouteState.INSTALLED, RouteState.LEAVING):
            continue
        return _not_installed(core, table, family, nlri, state, now)
    return None


def _not_installed(
    core: Core, table: Table, family: Family, nlri: Nlri, state: RouteState, now: float
) -> Json:
    prefix = str(network_of(family, nlri))
    if state is RouteState.UNUSED:
        for path in paths(table, family, nlri, now):
            if path["reason"]:
                text = f"{path['peer']} announces {prefix}, but {path['text']} [{path['reason']}]"
                return missing(table.name, text, path["remedy"])
    if state is RouteState.BLOCKED:
        text = f"a route that is not ours stands where {prefix} (table {table.number}) should be"
        return missing(table.name, text, "remove that route, or give the network another metric")
    if failure := table.failure(family, nlri):
        text = f"the kernel refuses the route to {prefix}: {kernel_words(failure.failure)}"
        return missing(table.name, text, "it is tried again by itself")
    return missing(table.name, f"the route to {prefix} is on its way into the kernel", "ask again")


def _sessions(core: Core, network: Network) -> Json | None:
    """What is wrong if no session is up."""
    name = network.intent.name
    if any(session.works for session in network.sessions.values()):
        return None
    for peer in network.intent.peers:
        subject = f"BGPPeer {peer.name}"
        problems = [*peer.degraded, *core.problems.about(subject)]
        if problems:
            return missing(name, f"no session is up; {subject}: {problems[0].text}")
        session = network.sessions.get(peer.id)
        if session is not None and session.last_error is not None:
            config = next((c for c in network.configured if c.peer == peer.id), None)
            text = f"no session is up; {endpoint(peer.id)} ({peer.name}): {describe(session.last_error)}"
            return missing(name, text, advice(session.last_error, config))
    if not network.intent.peers:
        text = "it has no peer on this node"
        return missing(name, text, "give it a BGPPeer whose nodeSelector matches this node")
    return missing(name, "no session is up yet", "look at vrfbgp status")


def missing(network: str | None, text: str, remedy: str | None = None) -> Json:
    """Something that is missing, and what to do."""
    return {"network": network, "text": text, "remedy": remedy, "withdrawn": []}
