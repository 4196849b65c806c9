"""P5: the whole selector grammar, with the meaning that libcalico-go gives it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.config.select import MAX_LENGTH, SelectorError, parse

LABELS = {"egress": "red", "a/b.c-d_e": "x", "in": "in", "empty": "", "zone": "eu-west-1"}

MEANINGS = [
    ("", True),
    ("  \t ", True),
    ("all()", True),
    ("all( )", True),
    ("global()", True),
    ("!all()", False),
    ("egress == 'red'", True),
    ('egress == "red"', True),
    ("egress=='red'", True),
    ("egress == 'blue'", False),
    ("missing == ''", False),
    ("empty == ''", True),
    ("egress != 'red'", False),
    ("egress != 'blue'", True),
    ("missing != 'blue'", True),
    ("egress in {'red', 'blue'}", True),
    ("egress in {'blue', 'red',}", True),
    ("egress in{'red'}", True),
    ("egress in {}", False),
    ("missing in {'red'}", False),
    ("egress not in {'red'}", False),
    ("egress not in {'blue'}", True),
    ("egress notin {'blue'}", True),
    ("egress not\tin {}", True),
    ("missing not in {'red'}", True),
    ("has(egress)", True),
    ("has( egress )", True),
    ("has(a/b.c-d_e)", True),
    ("has(missing)", False),
    ("!has(missing)", True),
    ("zone contains 'west'", True),
    ("zone contains'west'", True),
    ("zone contains 'east'", False),
    ("missing contains ''", False),
    ("zone starts with 'eu'", True),
    ("zone startswith 'eu'", True),
    ("zone starts with 'west'", False),
    ("missing starts with ''", False),
    ("zone ends with '-1'", True),
    ("zone endswith '-2'", False),
    ("missing ends with ''", False),
    ("!egress == 'red'", False),
    ("!!egress == 'red'", True),
    ("! ! ! egress == 'red'", False),
    ("!(egress == 'red' && has(missing))", True),
    ("egress == 'red' && has(missing)", False),
    ("egress == 'red' || has(missing)", True),
    # && binds tighter than ||
    ("all() || all() && has(missing)", True),
    ("(all() || all()) && has(missing)", False),
    ("has(missing) && all() || egress == 'red'", True),
    ("has(missing) && (all() || egress == 'red')", False),
    # keywords are labels where a label stands
    ("in in {'in'}", True),
    ("has == 'x'", False),
    ("all != 'x'", True),
    ("not not in {'x'}", True),
    ("contains contains 'x'", False),
    # strings have no escapes, and the other quote is a character
    ("egress != '\"'", True),
    ('egress == "it\'s"', False),
    ("egress == '\\'", False),
    ("(((egress == 'red')))", True),
]


@pytest.mark.parametrize(("text", "selected"), MEANINGS)
def test_meaning(text: str, selected: bool) -> None:
    assert parse(text).matches(LABELS) is selected


ERRORS = [
    ("egress", 7, "the selector ends"),
    ("egress ==", 10, "a quoted string"),
    ("egress == red", 11, "a quoted string"),
    ("egress = 'red'", 8, "=="),
    ("egress == 'red", 11, "no closing quote"),
    ('egress == "red', 11, "no closing quote"),
    ("egress == 'red' & all()", 17, "&&"),
    ("egress == 'red' all()", 17, "&&"),
    ("(egress == 'red'", 17, ")"),
    ("egress == 'red')", 16, "the end"),
    ("has(egress", 11, ")"),
    ("has()", 5, "a label name"),
    ("has (egress)", 5, "=="),
    ("all(x)", 4, "=="),
    ("egress in 'red'", 11, "{"),
    ("egress in {red}", 12, "a quoted string"),
    ("egress in {,}", 12, "a quoted string"),
    ("egress in {'red'", 17, "}"),
    ("egress inside {'red'}", 10, "{"),
    ("!", 2, "a label name"),
    ("&& all()", 1, "a label name"),
    ("é == 'x'", 1, "a label name"),
    ("egress == 'red'\n", 16, "&&"),
]


@pytest.mark.parametrize(("text", "position", "hint"), ERRORS)
def test_error_has_its_position(text: str, position: int, hint: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse(text)
    assert caught.value.position == position
    assert f"at character {position}: " in str(caught.value)
    assert hint in str(caught.value)


def test_deep_nesting_is_no_problem() -> None:
    depth = (MAX_LENGTH - 10) // 2
    assert parse("(" * depth + "has(in)" + ")" * depth).matches(LABELS)
    assert parse("!" * 1001 + "has(missing)").matches(LABELS)
    nested = "has(in)"
    while len(nested) < MAX_LENGTH - 40:
        nested = f"has(in) && (has(x) || {nested})"
    assert parse(nested).matches(LABELS)


def test_a_selector_too_long_is_refused() -> None:
    with pytest.raises(SelectorError):
        parse("has(a) || " * 1000 + "has(a)")


_PIECES = [
    "a",
    "in",
    "not in",
    "has(",
    ")",
    "(",
    "'x'",
    '"',
    "{",
    "}",
    ",",
    "==",
    "!=",
    "!",
    "&&",
    "||",
    " ",
    "all()",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join) | st.text(max_size=40))
def test_any_text_is_a_selector_or_an_error_with_a_position(text: str) -> None:
    try:
        parse(text).matches(LABELS)
        position = 1
    except SelectorError as error:
        position = error.position
    assert 1 <= position <= len(text) + 1
