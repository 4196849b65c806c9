"""What to do about a session that is not up, by how it ended (RFC 4271 4.5, RFC 4486)."""

from __future__ import annotations

from vrfbgp.events import DownCause, DownKind
from vrfbgp.requests import SessionConfig

_CODES = {
    (2, 2): "The peer and this config name different AS numbers: compare asNumber of the BGPPeer, "
    "and our local AS ({local_as}), with the router's.",
    (2, 3): "Two speakers have the router id {router_id}: set routerID of BGPConfiguration.",
    (2, 5): "The router asks for authentication that is not known: compare the passwords.",
    (2, 6): "The peer does not accept a hold time of {hold_time} s: raise holdTime of the BGPPeer.",
    (2, 7): "The peer insists on a capability that we have not: look at its log.",
    (6, 1): "The peer has had more prefixes than its limit allows: raise the router's maximum-prefix.",
    (6, 2): "The router's operator shut the session down: enable it there.",
    (6, 3): "The router has no neighbor {local} any more: configure it there.",
    (6, 5): "The router refuses connections from {local}: give it this neighbor, with AS {local_as}.",
    (6, 7): "Both sides connected at once; it comes up by itself.",
}
_KINDS = {
    DownKind.CONNECT_FAILED: "Check that {peer} is reachable from {local}, listens on its port, has the "
    "neighbor {local} with AS {local_as}, and that both sides have the same password and ttlSecurity, "
    "or none.",
    DownKind.CONNECTION_LOST: "The connection broke; it is tried again. If it never lasts, compare the "
    "passwords and the AS numbers, and look at the router's log.",
    DownKind.HOLD_TIMER: "The peer was silent for its hold time: check the link to it, and its load. If the "
    "session never comes up, compare ttlSecurity.",
    DownKind.UPLINK_LOST: "Bring the device up again, or give it its address back; the session follows.",
    DownKind.SPEAKER_ENDED: "The process that held the session is started again; the log says how it ended.",
}
_WAITING = (
    "The router has to call {local} port {listen.port} by way of {listen.device}: give it the neighbor "
    "{local} with AS {local_as}, and the same password as here, or none."
)


def advice(cause: DownCause | None, session: SessionConfig | None) -> str | None:
    """What a person can do; None if it is not known better than the cause itself says.

    Without a cause the session was never up, nor tried.
    """
    if session is None:
        return None
    text = _CODES.get((cause.code, cause.subcode)) if cause is not None and cause.code else None
    if text is None and session.listen is not None:
        # Why we can't be called is said whole where it is found.
        failed = cause is not None and cause.kind is DownKind.CONNECT_FAILED
        text = None if failed else _WAITING
    elif text is None and cause is not None:
        text = _KINDS.get(cause.kind)
    if text is None:
        return None
    return text.format(
        peer=session.peer.address,
        local=session.local_address,
        local_as=session.local_as,
        router_id=session.router_id,
        hold_time=session.hold_time,
        listen=session.listen,
    )
