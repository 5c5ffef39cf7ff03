"""Back and forward, as a browser does it."""

from hypothesis import given
from hypothesis import strategies as st

from gui.view_history import LONGEST, ViewHistory, ViewState


def view(name: str) -> ViewState:
    return ViewState(selection=name)


def history(*left: str) -> ViewHistory:
    made = ViewHistory()
    for name in left:
        made.leave(view(name))
    return made


def test_back_leads_to_the_view_that_was_left_last() -> None:
    assert history("a", "b").back(view("c")) == view("b")


def test_forward_leads_to_where_one_went_back_from() -> None:
    made = history("a")
    assert made.back(view("b")) == view("a")
    assert made.forward(view("a")) == view("b")


def test_back_comes_to_the_view_as_it_was_panned_to() -> None:
    made = history("a")
    made.back(view("b"))
    made.forward(view("a, panned"))
    assert made.back(view("b")) == view("a, panned")


def test_a_jump_forgets_what_was_gone_back_from() -> None:
    made = history("a")
    made.back(view("b"))
    made.leave(view("a"))
    assert made.forward(view("c")) is None


def test_a_view_left_twice_is_gone_back_to_once() -> None:
    made = history("a", "a")
    made.back(view("b"))
    assert made.back(view("a")) is None


def test_going_back_passes_over_what_looks_like_now() -> None:
    assert history("a", "b").back(view("b")) == view("a")


def test_at_the_ends_there_is_nowhere_to_go() -> None:
    assert ViewHistory().back(view("a")) is None
    assert ViewHistory().forward(view("a")) is None


def test_the_oldest_views_are_forgotten() -> None:
    made = history(*map(str, range(LONGEST + 5)))
    assert len(made.past) == LONGEST
    assert made.past[0] == view("5")


@given(st.lists(st.sampled_from("abc"), max_size=8), st.integers(0, 8))
def test_as_many_steps_forward_as_back_lead_to_where_one_was(names: list[str], steps: int) -> None:
    made, current = history(*names), view("now")
    taken = 0
    for _ in range(steps):
        there = made.back(current)
        if there is not None:
            current, taken = there, taken + 1
    for _ in range(taken):
        there = made.forward(current)
        assert there is not None
        current = there
    assert current == view("now")
