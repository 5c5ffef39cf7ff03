"""Garbage is collected by the GUI thread's timer, and by nothing else."""

import gc
import threading
import weakref

from pytestqt.qtbot import QtBot

from gui.garbage import GarbageCollector


class Knot:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


def test_cycles_are_collected_in_the_thread_of_the_collector(qtbot: QtBot) -> None:
    collector = GarbageCollector()
    threads: list[int] = []
    reference = weakref.ref(Knot(), lambda _: threads.append(threading.get_ident()))

    def is_collected() -> bool:
        # What earlier tests leave to be deleted counts against what is made here: so more is made until it is due.
        for _ in range(2 * gc.get_threshold()[0]):
            Knot()
        return reference() is None

    try:
        qtbot.waitUntil(is_collected, timeout=5000)
    finally:
        collector.stop()
    assert threads == [threading.get_ident()]
    assert gc.isenabled()
