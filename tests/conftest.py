"""What all tests share: Hypothesis without deadlines, since the machines that run them are busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
