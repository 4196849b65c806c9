"""Whether replies find the gateway: its address is announced to the network's peers, or why it is not.

Packets that leave and are never answered look like a fault of the far end, and mostly are one of this side.
"""

from __future__ import annotations

from vrfbgp.core import Core
from vrfbgp.intent import GatewayIntent
from vrfbgp.model import IPAddress
from vrfbgp.steering import host_prefix
from vrfbgp.views.words import Json, announced, endpoint, peer_name


def way_back(core: Core, gateway: GatewayIntent | None, src: IPAddress, network: str | None) -> Json | None:
    """Which peers of the network are told the source's address; None for what is no gateway's."""
    if gateway is None or network is None:
        return None
    told = [
        f"{peer_name(core, sent.peer)} ({endpoint(sent.peer)})"
        for sent in announced(core, network)
        if sent.prefix == host_prefix(src)
    ]
    return {"announced": told, "text": None if told else _why_not(core, gateway, src, network)}


def _why_not(core: Core, gateway: GatewayIntent, src: IPAddress, network: str) -> str:
    if not any(src in exported for exported in gateway.exported):
        return "its IPPool has disableBGPExport"
    if src not in core.host.present(host_prefix(src)):
        return "it is no address of this node, nor behind a host route of it"
    if not core.drain.announces:
        return "the node is drained"
    running = core.networks.get(network)
    if running is None or not any(session.works for session in running.sessions.values()):
        return "no session is up"
    for (peer, prefix), rule in core.announcements.refused.items():
        if peer.network == network and prefix == host_prefix(src):
            return f"the export rule {rule.name} holds it back"
    return "it waits for the gateway's rules"
