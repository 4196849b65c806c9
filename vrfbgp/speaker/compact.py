"""Memory laid out so that processes forked from this one write to few of its pages.

A page is shared until one of them writes to it, and Python writes wherever it goes: reference counts of what
it uses, caches in the bytecode that it runs, new objects in every gap between the old ones.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType

POOL_OCTETS = 16_384
POOL_HEADER_OCTETS = 48
STEP = 16
LARGEST = 512
"""Objects of up to so many octets live in pools of their size, in steps (CPython, Objects/obmalloc.c)."""
MOST_GAPS = 8192
"""Of one size that are looked for: another allocator may never lay out a pool in order."""


def gather(run: Callable[[], object]) -> None:
    """Put side by side the code of all functions that `run` runs; their caches are empty afterwards.

    Before, so is the interpreter's cache of attributes of types: it holds the names that were looked up while
    modules were loaded, and would let go of one after the other, wherever it lies.
    """
    sys._clear_type_cache()
    ran: dict[CodeType, CodeType | None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            ran.setdefault(frame.f_code)

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    moved = {code: code.replace() for code in ran}
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__code__ in moved:
            function.__code__ = moved[function.__code__]


def fill_gaps() -> list[bytes]:
    """Fill the gaps that are left between objects, so that new ones come to lie on pages of their own.

    What it returns are the fillings; keep them for as long as that is to hold.
    """
    fillings: list[bytes] = []
    for size in range(3 * STEP, LARGEST + 1, STEP):
        a_pool = (POOL_OCTETS - POOL_HEADER_OCTETS) // size - 1
        in_order = last = 0
        for _ in range(MOST_GAPS):
            filling = bytes(size - sys.getsizeof(b""))
            fillings.append(filling)
            in_order = in_order + 1 if id(filling) == last + size else 0
            last = id(filling)
            if in_order >= a_pool:
                break
    return fillings
