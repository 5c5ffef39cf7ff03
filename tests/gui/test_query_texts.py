"""What the search bar proposes and says, without the bar."""

import pytest

from gui.query_texts import EXAMPLES, Proposals, count_text, is_for_steps, proposals, turned_to_steps
from tracer.model.query import parse

NAMES = {
    "op": ("Addmm", "Relu"),
    "module": ("encoder", "encoder.layers.0", "head", "a b"),
    "class": ("Encoder", "Linear"),
    "param": ("head.weight",),
}


def proposed(text: str, cursor: int | None = None) -> tuple[str, ...]:
    return proposals(text, len(text) if cursor is None else cursor, NAMES, ("loss", "val loss")).words


def test_every_example_is_a_query() -> None:
    assert len(EXAMPLES) >= 6
    for text, meaning in EXAMPLES:
        assert parse(text) and meaning
        assert parse(text).is_about_steps == is_for_steps(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pa", ("param:", "pass:")),
        ("op:", ("op:Addmm", "op:Relu")),
        ("op:re", ("op:Relu",)),
        ("relu module:enc", ("module:encoder", "module:encoder.layers.0")),
        ("-module:h", ("module:head",)),
        ("(param:w", ("param:head.weight",)),
        ("module:a", ('module:"a b"', "module:head", "module:encoder.layers.0")),
        ("kind:p", ("kind:parameter", "kind:op", "kind:input", "kind:output")),
        ("steps where los", ("loss ",)),
        ("steps where va", ('"val loss" ', "value_norm ")),
        ("steps where new phase:e", ("phase:eval",)),
        ("", ()),
        ("op:relu ", ()),
        ('"enc', ()),
        ("module:nowhere", ()),
        ("phase:x", ()),
    ],
)
def test_what_may_come_next_is_proposed(text: str, words: tuple[str, ...]) -> None:
    assert proposed(text) == words


def test_names_are_proposed_from_two_letters_on_after_the_words_of_the_language() -> None:
    assert proposed("en") == ("module:encoder", "module:encoder.layers.0", "class:Encoder")
    assert proposed("s")[0] == "steps where "
    assert proposed("opaque") == ()


def test_proposals_stand_in_place_of_the_word_at_the_cursor() -> None:
    assert proposals("re op:addmm", 2, NAMES, ()) == Proposals(0, ("removed", "op:Relu"))
    assert proposals("a -op:ad", 8, NAMES, ()) == Proposals(3, ("op:Addmm",))


@pytest.mark.parametrize(
    ("nodes", "steps"),
    [("op:relu", "steps where op:relu"), ("", "steps where ")],
)
def test_a_question_is_turned_to_steps_and_back(nodes: str, steps: str) -> None:
    assert turned_to_steps(nodes, True) == turned_to_steps(steps, True) == steps
    assert turned_to_steps(steps, False) == turned_to_steps(nodes, False) == nodes


def test_a_count_says_of_what_it_is() -> None:
    assert count_text(1200, -1, is_about_steps=False) == "1,200 found"
    assert count_text(1, -1, is_about_steps=True) == "1 step"
    assert count_text(12, 3, is_about_steps=True) == "4 of 12"
