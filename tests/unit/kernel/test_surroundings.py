"""The node's settings are read as the kernel and systemd understand them; what can't be read is no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from vrfbgp.kernel.surroundings import read
from vrfbgp.model import Family
from vrfbgp.surroundings import Surroundings


def put(root: Path, **files: object) -> Surroundings:
    """Write files, by path with `__` for a slash, and read."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return read(root)


def test_where_nothing_can_be_read_nothing_is_wrong(tmp_path: Path) -> None:
    assert read(tmp_path) == Surroundings(hash_policy={Family.IPV4: 1, Family.IPV6: 1})


def test_of_a_device_and_all_the_higher_counts(tmp_path: Path) -> None:
    conf = {
        f"proc__sys__net__ipv4__conf__{name}__rp_filter": v for name, v in (("all", 1), ("a", 0), ("b", 2))
    }
    assert put(tmp_path, **conf).strict == {"a"}
    conf = {
        f"proc__sys__net__ipv6__conf__{name}__keep_addr_on_down": v
        for name, v in (("all", 0), ("a", 0), ("b", 1), ("c", -1))
    }
    assert put(tmp_path, **conf).drops_addresses == {"a", "c"}


def test_forwarding_hash_policy_and_compat_mode(tmp_path: Path) -> None:
    found = put(
        tmp_path,
        proc__sys__net__ipv4__ip_forward=0,
        proc__sys__net__ipv6__conf__all__forwarding=0,
        proc__sys__net__ipv4__fib_multipath_hash_policy=0,
        proc__sys__net__ipv4__nexthop_compat_mode=1,
    )
    assert (found.ip_forward, found.ipv6_forwarding, found.nexthop_compat_mode) == (False, False, True)
    assert found.hash_policy == {Family.IPV4: 0, Family.IPV6: 1}


ALL = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules", "ManageForeignNextHops")


@pytest.mark.parametrize(
    ("files", "manages"),
    [
        ({}, ALL),
        ({"etc/systemd/networkd.conf": "[Network]\nManageForeignRoutes=no"}, ALL[1:]),
        ({"etc/systemd/networkd.conf": "[DHCPv4]\nManageForeignRoutes=no"}, ALL),
        ({"etc/systemd/networkd.conf": "no section at all"}, ALL),
        (
            {
                "usr/lib/systemd/networkd.conf.d/90-x.conf": "[Network]\nManageForeignRoutes=no",
                "etc/systemd/networkd.conf.d/90-x.conf": "[Network]\n#ManageForeignRoutes=no",
            },
            ALL,
        ),
        (
            {
                "etc/systemd/networkd.conf": "[Network]\nManageForeignNextHops=yes",
                "run/systemd/networkd.conf.d/10.conf": "[Network]\n" + "".join(f"{n}=false\n" for n in ALL),
            },
            (),
        ),
    ],
)
def test_what_networkd_removes(tmp_path: Path, files: dict[str, str], manages: tuple[str, ...]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read(tmp_path).networkd == (), "it does not run"
    assert put(tmp_path, run__systemd__netif__state="OPER_STATE=routable").networkd == manages


def test_a_memory_limit_counts_once_it_is_nearly_reached(tmp_path: Path) -> None:
    group = "sys__fs__cgroup__pods__a__memory."
    found = put(tmp_path, proc__self__cgroup="0::/pods/a", **{f"{group}max": "max", f"{group}current": 99})
    assert (found.memory_limit, found.memory_short) == (None, None)
    limited = put(tmp_path, **{f"{group}max": 1000})
    assert (limited.memory_limit, limited.memory_short) == (1000, None)
    assert put(tmp_path, **{f"{group}current": 950}).memory_short == 1000
    assert put(tmp_path, **{f"{group}stat": "anon 700\ninactive_file 240"}).memory_short is None, "a cache"
    above = "sys__fs__cgroup__pods__memory."
    assert put(tmp_path, **{f"{above}max": 900, f"{above}current": 899}).memory_short == 900


def test_the_limit_of_cgroups_of_version_1(tmp_path: Path) -> None:
    group = "sys__fs__cgroup__memory__pods__memory."
    found = put(
        tmp_path,
        proc__self__cgroup="4:cpu,memory:/pods\n3:pids:/x",
        **{f"{group}limit_in_bytes": 1000, f"{group}usage_in_bytes": 950},
    )
    assert found.memory_short == 1000
    assert put(tmp_path, **{f"{group}limit_in_bytes": 9223372036854771712}).memory_limit is None
