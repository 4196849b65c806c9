"""ExaBGP inside the test's process, as the oracle of what is written for it."""

from __future__ import annotations

import pytest
from exabgp.logger import log

from vrfbgp.speaker.entry import settings


@pytest.fixture(autouse=True, scope="session")
def exabgp_settings() -> None:
    log.init(settings())
