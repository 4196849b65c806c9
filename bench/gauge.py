"""CPU seconds and memory of the processes under test, read from outside.

CPU time is that of the clocks of the processes (clock_getcpuclockid(3): all threads, in nanoseconds, no
ticks). Memory is PSS, the sum of which counts each shared page once; it is sampled, the less often the longer
the kernel takes to answer, so that the gauge itself stays below 3 % of a processor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.1
"""Seconds between samples at least."""
SPARING = 40
"""Pause is so many times what a sample took."""


def process_clock(pid: int) -> int:
    """The CPU-time clock of a process (linux/posix-timers.h, CPUCLOCK_SCHED)."""
    return (~pid << 3) | 2


def proportional_octets(pid: int) -> int:
    """The PSS of a process (proc(5), smaps_rollup); 0 if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Gauge:
    """Samples the processes that `pids` names, as a `with` block."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids
        self._cpu: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._awake = threading.Event()
        self._awake.set()
        self._thread = threading.Thread(target=self._run)
        self.peak = 0
        """The most memory seen, in octets."""

    def __enter__(self) -> Gauge:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._awake.set()
        self._thread.join()

    def cpu(self) -> float:
        """CPU seconds of all the processes until now, of those too that have ended since."""
        with self._lock:
            for pid in self._pids():
                try:
                    self._cpu[pid] = time.clock_gettime_ns(process_clock(pid))
                except OSError:
                    continue
            return sum(self._cpu.values()) / 1e9

    def memory(self) -> int:
        """PSS of all the processes now, in octets."""
        total = sum(map(proportional_octets, self._pids()))
        self.peak = max(self.peak, total)
        return total

    def _run(self) -> None:
        while not self._stop.is_set():
            begin = time.monotonic()
            self.cpu()
            self.memory()
            self._stop.wait(max(PAUSE, SPARING * (time.monotonic() - begin)))
            self._awake.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take no samples meanwhile: they would hold up whoever watches for milliseconds in this process."""
        self._awake.clear()
        try:
            yield
        finally:
            self._awake.set()

    def wait_idle(self, seconds: float, *, still: float = 1.0, share: float = 0.05) -> None:
        """Wait until they used less than a share of a processor for `still` seconds; TimeoutError."""
        deadline = time.monotonic() + seconds
        before = self.cpu()
        while time.monotonic() < deadline:
            begin = time.monotonic()
            time.sleep(still)
            now = self.cpu()
            if (now - before) / (time.monotonic() - begin) < share:
                return
            before = now
        raise TimeoutError(f"still busy after {seconds:g} s")
