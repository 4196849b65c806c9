"""The tables of docs/configuration.md are those that the models give, and each field says what it means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vrfbgp.config.schema.editor import json_schema
from vrfbgp.config.schema.effect import Effect, table
from vrfbgp.config.schema.felix import FelixConfigurationSpec
from vrfbgp.config.schema.kinds import KINDS, Kind
from vrfbgp.config.schema.meaning import meanings, plain
from vrfbgp.config.schema.page import rewritten, rows

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "configuration.md").read_text()
RELOAD = (DOCS / "reload.md").read_text()
RULE = "spec.importV4[]"
SHARED = (
    "spec.importV6[].",
    "spec.exportV4[].",
    "spec.exportV6[].",
    "spec.routeTableRange",
    "spec.serviceClusterIPs[].",
    "spec.serviceExternalIPs[].",
    "spec.serviceLoadBalancerIPs[].",
)
"""What several fields hold alike: it has no row in each."""


def test_the_page_is_what_the_models_give() -> None:
    assert rewritten(PAGE, RELOAD) == PAGE, "run `make docs`"


def test_what_is_around_the_tables_is_left_as_it_is() -> None:
    page = "before\n<!-- fields: IPPool projectcalico.org/v3 -->\nold\n<!-- end -->\nafter\n"
    written = rewritten(page, RELOAD)
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "old" not in written
    assert "| `cidr` | CIDR | required | none | The range. |" in written.splitlines()
    assert rewritten(written, RELOAD) == written


def test_a_marker_without_kind_is_said() -> None:
    with pytest.raises(LookupError, match="no IPPool in v1"):
        rewritten("<!-- fields: IPPool v1 -->\n<!-- end -->", RELOAD)


def test_a_field_without_a_word_on_edits_is_said() -> None:
    reload = RELOAD.replace("| `spec.cidr` |", "| `spec.cider` |")
    with pytest.raises(LookupError, match=re.escape("no row for spec.cidr")):
        rewritten(PAGE, reload)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.version}-{kind.name}")
def test_each_kind_has_its_table(kind: Kind) -> None:
    assert f"\n<!-- fields: {kind.name} {kind.version} -->\n" in PAGE


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.version}-{kind.name}")
def test_each_field_with_an_effect_has_a_row_and_a_meaning(kind: Kind) -> None:
    found = {row.path: row for below in ("", RULE) for row in rows(kind, below)}
    assert not [path for path, row in found.items() if row.name not in meanings(row.model)]
    fields = tuple(table(kind.spec)) if kind.spec else ()
    left = {field.path for field in fields if field.effect is not Effect.IGNORED} - found.keys()
    assert not {path for path in left if not path.startswith(SHARED)}


def test_an_inherited_field_has_its_meaning() -> None:
    assert meanings(FelixConfigurationSpec)["external_network_support"].startswith("`Enabled`")


def test_an_editor_is_told_the_meaning_without_links() -> None:
    properties = json_schema("FelixConfiguration")["$defs"]["FelixConfigurationSpec"]["properties"]
    described = properties["externalNetworkRoutingRulePriority"]["description"]
    assert described.startswith("Where the rules stand.")
    assert described.endswith("If it is not given: 102.")
    assert plain("see [rules](#rules)") == "see rules"
