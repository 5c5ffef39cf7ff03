"""Breakpoints as records: their texts, their dictionaries, their hit conditions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint, from_dict, from_text, hit_test, to_dict, to_text

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
NAMES = st.text("abcdefgh_", min_size=1).filter(lambda name: name not in ("hit", "log", "once", "off"))
BREAKPOINTS = st.builds(
    Breakpoint,
    st.integers(0, 1000),
    NAMES,
    st.dictionaries(NAMES, TEXTS, max_size=4),
    st.booleans(),
    st.sampled_from(["", "5", ">= 3", "% 2"]),
    TEXTS,
    st.booleans(),
)


@given(BREAKPOINTS)
def test_text_and_dictionary_lead_back(breakpoint: Breakpoint) -> None:
    assert from_text(to_text(breakpoint), breakpoint.id) == breakpoint
    assert from_dict(json.loads(json.dumps(to_dict(breakpoint)))) == breakpoint


CONTENT = st.recursive(
    st.none() | st.booleans() | st.floats() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
)


@given(CONTENT)
def test_any_content_is_a_breakpoint_or_refused(content: object) -> None:
    try:
        found = from_dict(content)
    except UsageError:
        return
    assert isinstance(found, Breakpoint)


@pytest.mark.parametrize(
    "content",
    [
        {"id": "1"},
        {"id": 1 << 60},
        {"id": True},
        {"condition": None},
        {"fields": [1]},
        {"fields": {"a": None}},
        {"enabled": 1},
        {"logMessage": "x" * 1001},
        {"oneShot": "yes"},
        7,
    ],
)
def test_a_field_of_another_kind_is_refused(content: object) -> None:
    with pytest.raises(UsageError, match=r"^A breakpoint (has|is) .*\.$"):
        from_dict(content)


@pytest.mark.parametrize(
    ("text", "acts_at"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("3", [3]),
        ("= 3", [3]),
        (" == 3 ", [3]),
        ("> 3", [4, 5, 6]),
        (">=3", [3, 4, 5, 6]),
        ("% 2", [2, 4, 6]),
    ],
)
def test_a_hit_condition_says_at_which_hits_it_acts(text: str, acts_at: list[int]) -> None:
    acts = hit_test(text)
    assert [hits for hits in range(1, 7) if acts(hits)] == acts_at


@pytest.mark.parametrize("text", ["0", "-1", "x", "3 hits", ">", "1e3", "9" * 10])
def test_another_text_is_no_hit_condition(text: str) -> None:
    with pytest.raises(UsageError, match="is no hit condition; write 5, >= 5, > 5 or % 5"):
        hit_test(text)
