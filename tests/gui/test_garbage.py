"""Garbage is collected by the GUI thread's timer, by nothing else, and little of it at a time."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from gui import garbage
from gui.garbage import GarbageCollector


class Knot:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


def make_knots(count: int) -> weakref.ref[Knot]:
    """The first of them."""
    first = weakref.ref(Knot())
    for _ in range(count):
        Knot()
    return first


@pytest.fixture
def collector() -> Iterator[GarbageCollector]:
    collector = GarbageCollector()
    yield collector
    collector.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_new_cycles_are_collected_in_the_thread_of_the_collector(qtbot: QtBot, collector: GarbageCollector) -> None:
    threads: list[int] = []
    reference = weakref.ref(Knot(), lambda _: threads.append(threading.get_ident()))
    make_knots(2 * gc.get_threshold()[0])

    def is_collected() -> bool:
        # What earlier tests leave to be deleted counts against what is made here: so a little more is made each time.
        make_knots(gc.get_threshold()[0] // 10)
        return reference() is None

    qtbot.waitUntil(is_collected)
    assert threads == [threading.get_ident()]


def test_what_comes_in_great_numbers_is_not_looked_at_until_everything_is(
    qtbot: QtBot, collector: GarbageCollector
) -> None:
    first = make_knots(garbage.MOST_YOUNG + 1)
    qtbot.waitUntil(lambda: gc.get_freeze_count() > garbage.MOST_YOUNG and gc.get_count()[0] < garbage.MOST_YOUNG)
    assert first() is not None
    collector.collect_all()
    assert first() is None


def test_everything_is_looked_at_once_the_app_rests(
    qtbot: QtBot, collector: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "DUE_OBJECTS", garbage.MOST_YOUNG)
    first = make_knots(3 * garbage.MOST_YOUNG)  # what earlier tests leave to be deleted counts against it
    qtbot.waitUntil(lambda: first() is None)
