"""What people and scripts are told: the core's state as values for JSON. Nothing here changes it."""

from vrfbgp.views.answer import answer
from vrfbgp.views.events import events, last_reading
from vrfbgp.views.status import status

__all__ = ["answer", "events", "last_reading", "status"]
