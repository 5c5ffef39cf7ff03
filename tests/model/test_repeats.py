import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.model.repeats import LONGEST_PERIOD, Repeat, Wires, repeats

NO_WIRES = Wires(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint64))


def of_text(text: str, edges: list[tuple[int, int]] | None = None) -> tuple[Repeat, ...]:
    """The repeats of a text whose capital letters are calls."""
    kinds = np.array([ord(letter) for letter in text], dtype=np.int64)
    is_call = np.array([letter.isupper() for letter in text], dtype=np.bool_)
    ends = np.array(sorted(edges or [], key=lambda edge: edge[1]), dtype=np.int64).reshape(-1, 2)
    wires = Wires(ends[:, 0], ends[:, 1], np.zeros(len(ends), dtype=np.uint64))
    return repeats(kinds, is_call, is_call.astype(np.int64), wires)


def spans(found: tuple[Repeat, ...]) -> list[tuple[int, int, int]]:
    return [(repeat.start, repeat.period, repeat.count) for repeat in found]


def test_three_calls_repeat_and_two_do_not() -> None:
    assert spans(of_text("xAAAy")) == [(1, 1, 3)]
    assert of_text("xAAy") == ()


def test_few_equal_ops_are_ordinary_arithmetic() -> None:
    assert of_text("aaaa") == ()
    assert spans(of_text("aaaaa")) == [(0, 1, 5)]
    assert of_text("abcabcabc") == ()
    assert spans(of_text("abcdabcdabcd")) == [(0, 4, 3)]


def test_each_turn_of_a_loop_makes_several_things() -> None:
    assert spans(of_text("xaAbcaAbcaAbcy", [(1, 2), (2, 3), (5, 6), (6, 7), (9, 10), (10, 11)])) == [(1, 4, 3)]


def test_a_turn_begins_where_least_is_handed_on() -> None:
    """What stands before the loop may look like the end of a turn."""
    inside = [edge for start in (1, 4, 7) for edge in ((start, start + 1), (start + 1, start + 2))]
    assert spans(of_text("cABcABcABc", inside)) == [(1, 3, 3)]
    assert spans(of_text("cABcABcABc", [(at - 1, at) for at in range(1, 10) if at % 3])) == [(0, 3, 3)]


def test_a_turn_begins_with_what_is_large_where_nothing_else_decides() -> None:
    assert spans(of_text("aAaAaAa")) == [(1, 2, 3)]


def test_a_loop_within_a_loop_is_found_in_its_first_turn() -> None:
    (outer,) = of_text("AAABAAABAAAB")
    assert (outer.start, outer.period, outer.count) == (0, 4, 3)
    assert spans(outer.inner) == [(0, 1, 3)]


def test_turns_wired_differently_are_not_one() -> None:
    turns = [(at, at + 2) for at in (0, 3, 6, 9)]
    assert spans(of_text("ABCABCABCABC", turns)) == [(0, 3, 4)]
    assert spans(of_text("ABCABCABCABC", [*turns[:3], (9, 10)])) == [(0, 3, 3)]
    assert of_text("ABCABCABC", [(0, 2), (3, 4), (7, 8)]) == ()


def test_ten_thousand_turns_are_one_repeat() -> None:
    assert spans(of_text("aB" * 10_000)) == [(0, 2, 10_000)]


@given(st.text("aAbB", max_size=40))
def test_what_is_found_does_repeat_and_does_not_overlap(text: str) -> None:
    end = 0
    for repeat in of_text(text):
        assert repeat.start >= end
        end = repeat.start + repeat.period * repeat.count
        pattern = text[repeat.start : repeat.start + repeat.period]
        assert text[repeat.start : end] == pattern * repeat.count
        for inner in repeat.inner:
            assert repeat.start <= inner.start
            assert inner.start + inner.period * inner.count <= repeat.start + repeat.period


@given(st.text("ABCD", min_size=1, max_size=LONGEST_PERIOD), st.integers(3, 6))
def test_a_sequence_of_calls_that_repeats_is_covered(pattern: str, count: int) -> None:
    found = of_text(pattern * count)
    assert found
    assert found[0].period * found[0].count == len(pattern) * count
