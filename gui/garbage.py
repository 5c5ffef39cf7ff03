"""Python's cyclic garbage collection, kept to the GUI thread, and to moments in which it is not felt.

Python collects in whatever thread happens to allocate. A worker that so destroys a widget's wrapper can wait for a lock
of Qt's that the GUI thread holds while it waits for the interpreter: both stand still for ever.

To look at an object takes 0.1 to 0.3 µs, and a graph of 50,000 nodes is half a million objects. So what survived one
look, or came in such numbers that it is a graph, is set aside (`gc.freeze`); everything is looked at when the app
rests.
"""

import gc
import time

from PySide6.QtCore import QObject, QTimer, Slot

INTERVAL_MSECS = 500
MOST_YOUNG = 30_000
"""New objects that are looked at while the user may be waiting: 4 ms."""
DUE_OBJECTS, OVERDUE_OBJECTS = 250_000, 4_000_000
"""Set aside since everything was looked at: enough to do so again when the app rests, or whatever it does."""
RESTING_TURNS, RESTING_CPU_SECS = 6, 0.03
"""The app rests when it took no more than this in each of so many intervals."""


class GarbageCollector(QObject):
    """Takes collection over from Python until `stop`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        gc.freeze()
        self._set_aside = 0
        self._cpu_secs = time.process_time()
        self._turns_at_rest = 0
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MSECS)
        self._timer.timeout.connect(self._collect)
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    def collect_all(self) -> None:
        """Looks at everything there is: 0.1 s for a tape of 10,000 nodes."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._set_aside = 0

    @Slot()
    def _collect(self) -> None:
        young = gc.get_count()[0]
        if young > gc.get_threshold()[0] > 0:
            if young <= MOST_YOUNG:
                gc.collect(0)
            self._set_aside += young
            gc.freeze()
        if self._set_aside > (DUE_OBJECTS if self._is_resting() else OVERDUE_OBJECTS):
            self.collect_all()

    def _is_resting(self) -> bool:
        """Whether the app has had next to nothing to do for some seconds: nobody moves the mouse, types, or follows a
        run."""
        cpu_secs, before = time.process_time(), self._cpu_secs
        self._cpu_secs = cpu_secs
        self._turns_at_rest = self._turns_at_rest + 1 if cpu_secs - before < RESTING_CPU_SECS else 0
        return self._turns_at_rest >= RESTING_TURNS
