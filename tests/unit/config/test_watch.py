"""Changes of files and of the directories themselves are told, each by the way that users make them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from vrfbgp.config import watch


def rename_save(place: Path) -> None:
    (place / ".a.new").write_text("b: 2\n")
    (place / ".a.new").rename(place / "a.yaml")


def in_place(place: Path) -> None:
    (place / "a.yaml").write_text("b: 3\n")


def removed(place: Path) -> None:
    (place / "a.yaml").unlink()


def config_map_swap(place: Path) -> None:
    (place / "..2").mkdir()
    (place / "..data_tmp").symlink_to("..2")
    (place / "..data_tmp").rename(place / "..data")


def replaced_directory(place: Path) -> None:
    fresh = place.with_name("fresh")
    shutil.copytree(place, fresh)
    place.rename(place.with_name("old"))
    fresh.rename(place)


async def told(paths: list[Path], *deeds: Callable[[], None]) -> None:
    """Each deed is told before the next is done."""
    waiting = watch.changes(paths)
    for deed in deeds:
        next_one = asyncio.ensure_future(anext(waiting))
        # The watch begins when it is first asked; a deed that comes before it would be missed by right.
        await asyncio.sleep(0.2)
        deed()
        await asyncio.wait_for(next_one, 15)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = tmp_path / "config"
    found.mkdir()
    (found / "a.yaml").write_text("b: 1\n")
    return found


@pytest.mark.parametrize("deed", [rename_save, in_place, removed, config_map_swap, replaced_directory])
def test_a_change_is_told(place: Path, deed: Callable[[Path], None]) -> None:
    asyncio.run(told([place], lambda: deed(place)))


def test_a_file_alone_is_followed_over_a_save_by_rename(place: Path) -> None:
    asyncio.run(told([place / "a.yaml"], lambda: rename_save(place), lambda: in_place(place)))


def test_a_directory_that_was_replaced_is_followed_on(place: Path) -> None:
    asyncio.run(told([place], lambda: replaced_directory(place), lambda: rename_save(place)))


def test_a_directory_that_comes_later_is_followed(tmp_path: Path) -> None:
    later = tmp_path / "later"

    def come() -> None:
        later.mkdir()
        (later / "a.yaml").write_text("b: 1\n")

    asyncio.run(told([later], come, lambda: rename_save(later)))


def test_a_symlink_that_is_turned_elsewhere_is_followed(place: Path, tmp_path: Path) -> None:
    current, other = tmp_path / "current", tmp_path / "other"
    shutil.copytree(place, other)
    current.symlink_to(place)

    def turn() -> None:
        (tmp_path / "next").symlink_to(other)
        (tmp_path / "next").rename(current)

    asyncio.run(told([current], turn, lambda: in_place(other)))


def test_it_says_that_it_looks_while_nothing_changes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK", 0.05)

    async def scenario(paths: list[Path]) -> None:
        looks = 0
        enough = asyncio.Event()

        def looked() -> None:
            nonlocal looks
            looks += 1
            if looks == 4:
                enough.set()

        waiting = asyncio.ensure_future(anext(watch.changes(paths, looked)))
        await asyncio.wait_for(enough.wait(), 15)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(scenario([place]))
    asyncio.run(scenario([place.parent / "nowhere" / "at" / "all"]))


@pytest.mark.parametrize("deed", [rename_save, in_place, removed, config_map_swap, replaced_directory])
@pytest.mark.parametrize("lack", [RuntimeError("Too many open files"), OSError("watch limit reached")])
def test_x22_without_a_watch_the_files_are_looked_at(
    place: Path,
    deed: Callable[[Path], None],
    lack: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = 0

    async def none_left(*_: object, **__: object) -> AsyncIterator[None]:
        nonlocal tries
        tries += 1
        raise lack
        yield

    monkeypatch.setattr(watch, "awatch", none_left)
    monkeypatch.setattr(watch, "LOOK", 0.02)

    async def scenario() -> None:
        waiting = watch.changes([place])
        await asyncio.wait_for(anext(waiting), 15)
        assert "fs.inotify.max_user_instances" in caplog.text, "and told, since it may have changed"
        next_one = asyncio.ensure_future(anext(waiting))
        done, _ = await asyncio.wait([next_one], timeout=0.2)
        assert not done, "nothing changed"
        deed(place)
        await asyncio.wait_for(next_one, 15)

    asyncio.run(scenario())


def test_a_watch_that_could_not_be_had_is_tried_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def none_left(*_: object, **__: object) -> AsyncIterator[None]:
        nonlocal tries
        tries += 1
        raise OSError
        yield

    monkeypatch.setattr(watch, "awatch", none_left)
    monkeypatch.setattr(watch, "LOOK", 0.01)
    monkeypatch.setattr(watch, "RETRY", 0.03)

    async def scenario() -> None:
        waiting = watch.changes([place])
        while tries < 3:
            await asyncio.wait_for(anext(waiting), 15)

    asyncio.run(scenario())
