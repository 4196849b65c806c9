"""Modules of a package without its `__init__`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_kernels_messages_come_without_all_of_pyroute2() -> None:
    """They are a tenth of it, and the daemon needs no more."""
    script = (
        "import sys, vrfbgp.kernel.rtnl\n"
        "assert not [name for name in sys.modules if name.startswith('pyroute2')]\n"
        "import pyroute2.netlink.rtnl.ifinfmsg\n"
        "assert pyroute2.NetNS and pyroute2.netlink.rtnl.ifinfmsg.ifinfmsg\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_package_is_whole_again_afterwards(tmp_path: Path) -> None:
    package = tmp_path / "heavy"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('all of it')")
    (package / "part.py").write_text("here = True")
    script = (
        "import sys\n"
        "from vrfbgp.kernel.bare import bare\n"
        "with bare('heavy'):\n"
        "    from heavy.part import here\n"
        "assert here\n"
        "try: import heavy\n"
        "except ImportError as error: assert str(error) == 'all of it'\n"
        "else: raise AssertionError('its __init__ did not run')\n"
        "with bare('json'):\n"
        "    import json\n"
        "import json\n"
        "assert json.loads('1') == 1\n"
    )
    path = [str(tmp_path), *sys.path]
    subprocess.run([sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{script}"], check=True)
