"""What is looked at again and again beside a measure, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from typing import Self


class Aside(ABC):
    """Takes a step, pauses (seconds), and so on, as a `with` block; its socket is closed at the end."""

    def __init__(self, eye: socket.socket, pause: float = 0.0) -> None:
        self._socket = eye
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            self._step()

    @abstractmethod
    def _step(self) -> None:
        """Look once."""
