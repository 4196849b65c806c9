"""Announcements: the egress gateways' addresses, to the peers of their networks and to no others.

An address is announced while it is on this node and its gateway's rules stand; it is taken back before
they go. The speaker keeps what it was told until it ends, over all its sessions, so only differences are
sent; when it starts anew it is told everything again. Each session gets an End-of-RIB after them (RFC 4724).
Learned prefixes are never announced. The peer's export filters may hold an address back, or add to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from vrfbgp.filters import FilterRule, Operations
from vrfbgp.host import Host
from vrfbgp.intent import Advertisement, Intent, PeerIntent
from vrfbgp.model import Attributes, Family, IPAddress, IPNetwork, PeerId, nlri_of
from vrfbgp.network import Network
from vrfbgp.notes import Code, Note
from vrfbgp.requests import Announce, SendEndOfRib, SessionConfig, SpeakerRequest, Withdraw
from vrfbgp.rib.route_filter import RouteFilter, Subject, changed, first
from vrfbgp.steering import addresses_here, host_prefix

Key = tuple[PeerId, IPNetwork]


class Announcements:
    """What each speaker was told to announce."""

    def __init__(self) -> None:
        self.sent: dict[str, dict[Key, Announce]] = {}
        """By network."""
        self.mute = 0
        """Networks whose speaker does not run: the peers may keep as stale what it had announced."""
        self.refused: dict[Key, FilterRule] = {}
        """What export filters hold back, and by which rule."""

    def forget(self, network: str) -> None:
        """The network's speaker ended, or starts anew: it knows nothing of it."""
        self.sent.pop(network, None)

    def withdraw_all(self, network: str) -> list[SpeakerRequest]:
        """The network goes: take back everything."""
        return [Withdraw(peer, prefix) for peer, prefix in self.sent.pop(network, {})]

    def requests(
        self, intent: Intent, host: Host, networks: Mapping[str, Network], ready: Set[str]
    ) -> tuple[list[SpeakerRequest], list[Note]]:
        """What to tell the speakers so that they announce just what they should.

        `ready` are the gateways whose rules stand.
        """
        requests: list[SpeakerRequest] = []
        notes: list[Note] = []
        self.mute = sum(bool(network.configured) and not network.speaking for network in networks.values())
        wanted, held = self._wanted(intent, host, networks, ready)
        for name, network in networks.items():
            if not network.speaking:
                continue
            sent, now = self.sent.setdefault(name, {}), wanted.get(name, {})
            for key in [key for key in sent if key not in now and key not in held]:
                del sent[key]
                requests.append(Withdraw(*key))
                notes.append(Note(Code.WITHDRAWN, f"peer {key[0]}", str(key[1])))
            for key, announce in now.items():
                if sent.get(key) != announce and key not in held:
                    sent[key] = announce
                    requests.append(announce)
                    notes.append(Note(Code.ANNOUNCED, f"peer {key[0]}", str(key[1])))
            requests += _ends_of_rib(network, {peer for peer, _ in held})
        return requests, notes

    def _wanted(
        self, intent: Intent, host: Host, networks: Mapping[str, Network], ready: Set[str]
    ) -> tuple[dict[str, dict[Key, Announce]], set[Key]]:
        """What is to be announced, by network, and what of it must wait for the rules."""
        wanted: dict[str, dict[Key, Announce]] = {}
        held: set[Key] = set()
        self.refused = {}
        for gateway in intent.gateways:
            if gateway.isolated:
                continue
            for prefix in map(host_prefix, addresses_here(gateway, host)):
                for name in gateway.networks:
                    for session in networks[name].configured if name in networks else ():
                        if Family.of(prefix) not in session.families:
                            continue
                        key = session.peer, prefix
                        peer = networks[name].sessions[session.peer].intent
                        next_hop = None
                        if Family.of(prefix) is not Family.of(session.peer.address):
                            next_hop = self._other_next_hop(key, networks[name], session)
                            if next_hop is None:
                                continue
                        announce = exported(peer, prefix, intent.advertisements, next_hop)
                        if isinstance(announce, FilterRule):
                            self.refused[key] = announce
                            continue
                        wanted.setdefault(name, {})[key] = announce
                        if gateway.name not in ready:
                            held.add(key)
        return wanted, held

    def _other_next_hop(self, key: Key, network: Network, session: SessionConfig) -> IPAddress | None:
        """What a prefix of the other family than the session's is announced with; None: nothing leads to us.

        Between two sessions it stays as it is, and while the peer can't be reached: the next one decides.
        """
        negotiated = network.sessions[session.peer].negotiated
        attachment = network.uplinks.attachments.get(session.peer)
        if negotiated is None or attachment is None:
            told = self.sent.get(session.peer.network, {}).get(key)
            return told.next_hop if told is not None else None
        return session.local_address if negotiated.extended_next_hop else attachment.other


def exported(
    peer: PeerIntent,
    prefix: IPNetwork,
    advertisements: Iterable[Advertisement] = (),
    next_hop: IPAddress | None = None,
) -> Announce | FilterRule:
    """What the peer is told of a prefix of ours; or the rule that keeps it from the peer.

    `next_hop` is given for a prefix of the other family than that of the session's addresses.
    """
    added = [c for wanted in advertisements if _covers(wanted.prefix, prefix) for c in wanted.communities]
    rules = peer.filters.exports(Family.of(prefix))
    if not added and not rules:
        return Announce(peer.id, prefix, next_hop=next_hop)
    attributes = changed(Attributes(prefix.network_address), Operations(tuple(added)))
    subject = Subject(internal=peer.internal, learned=False)
    rule = first(RouteFilter(rules, subject).rules_for(attributes), nlri_of(prefix))
    if rule is not None:
        if not rule.accept:
            return rule
        attributes = changed(attributes, rule.operations)
    return Announce(
        peer.id,
        prefix,
        med=attributes.med,
        local_pref=attributes.local_pref if peer.internal else None,
        communities=attributes.communities,
        large_communities=attributes.large_communities,
        prepend=rule.operations.prepend if rule else (),
        next_hop=next_hop,
    )


def _covers(wide: IPNetwork, prefix: IPNetwork) -> bool:
    return prefix.network_address in wide and wide.prefixlen <= prefix.prefixlen


def _ends_of_rib(network: Network, held: Set[PeerId]) -> list[SpeakerRequest]:
    requests: list[SpeakerRequest] = []
    for peer, session in network.sessions.items():
        if session.up and session.end_of_rib_due and peer not in held and session.negotiated is not None:
            session.end_of_rib_due = False
            requests += [SendEndOfRib(peer, family) for family in sorted(session.negotiated.families)]
    return requests
