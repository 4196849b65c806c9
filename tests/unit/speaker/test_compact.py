"""What is moved together is the code that ran, and it still does the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from vrfbgp.speaker.compact import fill_gaps, gather
from vrfbgp.speaker.nursery import GIVE_BACK


def outer(start: int) -> Callable[[int], int]:
    def inner(more: int) -> int:
        return start + more

    return inner


def steps(count: int) -> list[int]:
    return [one(2) for one in map(outer, range(count))]


def fails() -> None:
    raise KeyError("on purpose")


def test_what_ran_is_moved_and_works_as_before() -> None:
    before = [function.__code__ for function in (steps, outer, fails)]
    early = outer(40)
    gather(lambda: steps(3))
    after = [function.__code__ for function in (steps, outer, fails)]
    assert [new is old for new, old in zip(after, before, strict=True)] == [False, False, True]
    assert after == before
    assert steps(3) == [2, 3, 4]
    assert early(2) == 42


def test_a_failure_of_what_runs_leaves_no_profile_function() -> None:
    try:
        gather(fails)
    except KeyError:
        assert sys.getprofile() is None
    else:
        raise AssertionError("it was swallowed")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="names are immortal there")
def test_no_name_is_held_by_what_was_looked_up_before() -> None:
    class Looked:
        pass

    name = sys.intern("a name that is looked up once in a life")
    setattr(Looked, name, 1)
    getattr(Looked, name)
    looked_up = sys.getrefcount(name)
    gather(lambda: None)
    assert sys.getrefcount(name) < looked_up


def test_what_was_spooled_is_given_back_while_more_is_there() -> None:
    script = (
        "import os\n"
        "def resident():\n"
        "    return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGESIZE')\n"
        "size = 1 << 17\n"
        "del [b'1' * size for _ in range(2)][:]\n"
        "before = resident()\n"
        "spool = [b'1' * size for _ in range(100)]\n"
        "grown = resident() - before\n"
        "del spool[:-1]\n"
        "print(grown > 90 * size, resident() - before < 10 * size)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=GIVE_BACK
    )
    assert done.stdout == "True True\n"


def test_new_objects_lie_side_by_side() -> None:
    """Otherwise each lies in the next gap, on a page that was shared."""
    script = (
        "from vrfbgp.speaker.compact import fill_gaps\n"
        "holes = [bytes(80) for _ in range(10_000)]\n"
        "del holes[::3]\n"
        "kept = fill_gaps()\n"
        "new = [id(one) for one in [bytes(80) for _ in range(100)]]\n"
        "print(sum(after - before == 128 for before, after in zip(new, new[1:])))\n"
    ).replace("128", str(-(-(33 + 80) // 16) * 16))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 90


def test_an_allocator_without_pools_is_no_endless_loop() -> None:
    script = "from vrfbgp.speaker.compact import fill_gaps; print(len(fill_gaps()) > 0)"
    environment = {"PYTHONMALLOC": "malloc", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=60,
    )
    assert done.stdout == "True\n"
    assert fill_gaps()
