"""The session: one state, facts as signals."""

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gui.findings import find
from gui.session import Session
from tests.gui.growing_table import NO_STEPS, GrowingTable, table_of
from tracer import Batch, Event


def steps(topologies: str, first: int = 0) -> Batch:
    return Batch(table_of(topologies, first), (), {})


def event(kind: str, **data: object) -> Batch:
    return Batch(NO_STEPS, (Event(1, kind, 0, 0, data),), {})


@pytest.fixture
def session(qtbot: QtBot, tmp_path) -> Session:
    session = Session()
    session.open(tmp_path / "run.tape", follows_live=False)
    return session


def test_first_batch_of_a_finished_tape_shows_its_first_step(session: Session) -> None:
    session.append(steps("aab"))
    assert session.step == 0


def test_following_shows_the_last_step_of_a_batch_only(session: Session) -> None:
    shown: list[int] = []
    session.step_changed.connect(shown.append)
    session.follow_live(True)
    session.append(steps("a" * 500))
    assert shown == [499]


def test_following_is_throttled_and_catches_up(qtbot: QtBot, session: Session) -> None:
    session.follow_live(True)
    session.append(steps("aaa"))
    session.append(steps("aaa", first=3))
    assert session.step == 2
    qtbot.waitUntil(lambda: session.step == 5)


def test_going_to_a_step_stops_following(session: Session) -> None:
    session.follow_live(True)
    session.append(steps("aaa"))
    session.go_to(1)
    session.append(steps("a", first=3))
    assert (session.step, session.follows_live) == (1, False)


@pytest.mark.parametrize(("asked", "shown"), [(-5, 0), (99, 3), (2, 2)])
def test_steps_are_clamped_to_those_there_are(session: Session, asked: int, shown: int) -> None:
    session.append(steps("aaaa"))
    session.go_to(asked)
    assert session.step == shown


def test_changes_of_structure_lead_forward_and_back(session: Session) -> None:
    session.append(steps("aabbba"))
    visited = []
    for move in (session.next_change, session.next_change, session.next_change, session.previous_change):
        move()
        visited.append(session.step)
    assert visited == [2, 5, 5, 2]


def test_a_wished_step_is_shown_as_soon_as_it_is_there(session: Session) -> None:
    session.wish_for(-1)
    session.append(steps("aaa"))
    assert session.step == 2


def test_paused_is_what_the_tape_says(session: Session) -> None:
    session.set_tape_state("live")
    states = [session.run_state]
    for batch in (event("stopped", reason="pause"), event("continued"), event("stopped", reason="step")):
        session.append(batch)
        states.append(session.run_state)
    assert states == ["running", "paused", "running", "paused"]
    assert session.stop_reason == "step"


def stop_at_a_breakpoint() -> Batch:
    return event("stopped", reason="breakpoint", text="the loss is NaN", moment="before the optimizer")


def test_a_breakpoint_brings_one_to_where_it_stopped(session: Session) -> None:
    session.set_tape_state("live")
    session.append(steps("aab"))
    session.go_to(0)
    session.append(event("stopped", reason="pause"))
    assert session.step == 0 and session.stop.data["reason"] == "pause"
    session.append(event("continued"))
    assert session.stop is None
    session.append(stop_at_a_breakpoint())
    assert session.step == 2 and session.follows_live


def test_the_stops_of_a_recorded_tape_leave_one_where_one_is(session: Session) -> None:
    session.append(steps("aab"))
    session.append(stop_at_a_breakpoint())
    session.set_tape_state("closed")
    assert session.step == 0 and session.stop is None and not session.follows_live


@pytest.mark.parametrize("tape_state", ["closed", "abrupt"])
def test_a_run_that_is_no_longer_live_has_ended(session: Session, tape_state: str) -> None:
    session.append(event("stopped", reason="pause"))
    session.set_tape_state(tape_state)
    assert session.run_state == "ended"


def test_what_ended_the_run_is_known_until_another_tape_is_opened(session: Session, tmp_path) -> None:
    session.append(event("exception", type="ValueError", message="no data", traceback="…"))
    session.append(event("closed", state="closed"))
    assert (session.run_state, session.exception.data["type"]) == ("ended", "ValueError")
    session.open(tmp_path / "other.tape", follows_live=False)
    assert session.exception is None
    session.set_tape_state("abrupt")
    assert session.stop_reason == "abrupt"


def test_without_a_step_it_says_what_is_waited_for(session: Session) -> None:
    reasons = [find(session).subtitle]
    session.set_tape_state("live")
    reasons.append(find(session).subtitle)
    session.close()
    reasons.append(find(session).subtitle)
    assert reasons == ["Reading the tape…", "Waiting for the first step…", "Open a tape or start a run"]


def test_scalars_grow_by_name(session: Session) -> None:
    session.append(Batch(NO_STEPS, (), {"loss": (np.array([0, 1]), np.array([2.0, 1.0]))}))
    session.append(Batch(NO_STEPS, (), {"loss": (np.array([2]), np.array([0.5]))}))
    assert session.series["loss"].values.tolist() == [2.0, 1.0, 0.5]


def test_selecting_the_same_again_says_nothing(qtbot: QtBot, session: Session) -> None:
    session.select("fc1#0")
    with qtbot.assertNotEmitted(session.selection_changed):
        session.select("fc1#0")


def test_moving_keeps_the_selection(session: Session) -> None:
    session.append(steps("ab"))
    session.select("fc1#0")
    session.next()
    assert session.selection == "fc1#0"


def test_closing_forgets_everything(session: Session) -> None:
    session.append(steps("ab"))
    session.select("x")
    session.close()
    assert (session.tape, session.step, session.selection, session.run_state) == (None, -1, "", "none")
    assert len(session.timeline) == 0


def test_steps_that_were_not_recorded_keep_their_place(session: Session) -> None:
    rows = ((index, name, name, "structure") for index, name in ((0, "a"), (3, "b")))
    session.append(Batch(GrowingTable().add(rows), (), {}))
    assert session.timeline.structures.tolist() == [0, -1, -1, 1]
    assert session.timeline.next_change(0) == 3
