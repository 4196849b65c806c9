"""What is installed is whole: a wheel, and one made of the source archive, run without the checkout."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import typer

import vrfbgp

PROJECT = Path(__file__).parents[3]
SOURCES = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "Makefile")
TREES = ("vrfbgp", "templates", "config", "docs")
BUILD = "from setuptools import build_meta as b; import sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def build(source: Path, what: str, into: Path) -> Path:
    """Build `wheel` or `sdist` by the hooks of PEP 517, without a network; the file."""
    command = [sys.executable, "-c", BUILD, f"build_{what}", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive of a copy of this checkout."""
    found = importlib.metadata.version("setuptools")
    if tuple(map(int, found.split(".")[:2])) < (70, 1):
        pytest.skip(f"setuptools {found} builds no wheels by itself; 70.1 does: make venv")
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copy(PROJECT / name, source)
    for name in TREES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / name, source / name, symlinks=True, ignore=ignored)
    return build(source, "sdist", tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is made of the source archive, as pip makes it of a release."""
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        # Python 3.11.2, that of Debian 12, has no filters yet; later ones ask for one.
        archive.extractall(place, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    [source] = place.iterdir()
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a virtual environment with the wheel; what it depends on is that of this one."""
    place = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=120)
    python = place / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", wheel]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    number = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # By a .pth, whose directories' own .pth files do not count: an editable install of the checkout is none.
    packages = place / "lib" / number / "site-packages"
    (packages / "dependencies.pth").write_text(f"{Path(typer.__file__).parents[1]}\n")
    return python.parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command where nothing of the checkout is found by chance."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VRFBGP"))
    }
    return subprocess.run(
        [str(word) for word in command],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_holds_all_of_the_package_and_nothing_besides(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "vrfbgp").rglob("*.py")}
    templates = {f"vrfbgp/templates/{path.name}" for path in (PROJECT / "templates").iterdir()}
    assert templates
    metadata = {name for name in names if name.startswith(f"vrfbgp-{vrfbgp.__version__}.dist-info/")}
    assert names - metadata == modules | templates
    assert any(name.endswith("LICENSE") for name in metadata)


def test_the_source_archive_holds_what_one_reads_and_copies(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "docs/configuration.md", "config/systemd/vrfbgp.service"} <= names
    assert {f"templates/{path.name}" for path in (PROJECT / "templates").iterdir()} <= names


def test_the_console_script_runs_without_the_checkout(installed: Path) -> None:
    where = run(installed / "python", "-c", "import vrfbgp; print(vrfbgp.__file__)").stdout
    assert where.startswith(str(installed.parent)), where
    done = run(installed / "vrfbgp", "check", PROJECT / "config" / "example", "--node", "egress-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "red" in done.stdout
    assert run(installed / "vrfbgp", "--version").stdout == f"vrfbgp {vrfbgp.__version__}\n"


def test_so_does_the_module_and_it_finds_the_templates(installed: Path) -> None:
    done = run(
        installed / "python", "-m", "vrfbgp", "check", PROJECT / "config" / "minimal", "--node", "egress-1"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rendering = "from vrfbgp.speaker.render import render; print(render(()))"
    done = run(installed / "python", "-c", rendering)
    assert done.returncode == 0, done.stderr
    assert "sessions of one external network" in done.stdout
