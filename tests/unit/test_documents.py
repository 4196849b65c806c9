"""The documents keep up with the code: what they name exists, and what has an effect is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vrfbgp.config.schema.effect import Effect, inner_model, table
from vrfbgp.config.schema.kinds import KINDS, Kind
from vrfbgp.verify.findings import Finding, Flaw

PROJECT = Path(__file__).resolve().parents[2]
CONFIGURATION = (PROJECT / "docs" / "configuration.md").read_text()
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])
INNER = {"spec.orchRefs"}
"""Acted on in that it is silently left alone."""


def told(name: str) -> bool:
    """Whether the page on configuration names a field."""
    return re.search(rf"[`.]{re.escape(name)}[`.: ]", CONFIGURATION) is not None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.version}-{kind.name}")
def test_every_field_with_an_effect_is_described(kind: Kind) -> None:
    """Fields within fields are described with the one that holds them."""
    assert f"### {kind.name}\n" in CONFIGURATION
    spec = kind.model.model_fields.get("spec")
    if spec is None:
        return
    model = inner_model(spec)
    assert model is not None
    missing = [
        field.path
        for field in table(model)
        if field.effect is not Effect.IGNORED
        and field.path not in INNER
        and field.path.count(".") == 1
        and not told(field.path.rpartition(".")[2])
    ]
    assert not missing, "docs/configuration.md names them nowhere"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target


def test_the_page_on_isolation_names_tests_that_exist_and_each_flaw() -> None:
    page = (PROJECT / "docs" / "isolation.md").read_text()
    sources = "\n".join(path.read_text() for path in PROJECT.glob("tests/**/test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in sources] == []
    for path in re.findall(r"`(tests/[\w./-]+)`", page):
        assert (PROJECT / path).exists(), path
    for flaw in Flaw:
        finding = Finding(flaw, "", "", "")
        assert f"| `{flaw}` | {finding.weight} | " in page
