"""Python's cyclic garbage collection, kept to the GUI thread.

Python collects in whatever thread happens to allocate. A worker that so destroys a widget's wrapper can wait for a lock
of Qt's that the GUI thread holds while it waits for the interpreter: both stand still for ever.
"""

import gc

from PySide6.QtCore import QObject, QTimer, Slot

INTERVAL_MSECS = 500


class GarbageCollector(QObject):
    """Takes collection over from Python, by Python's own thresholds, until `stop`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MSECS)
        self._timer.timeout.connect(self._collect)
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        gc.enable()

    @Slot()
    def _collect(self) -> None:
        due = zip(gc.get_count(), gc.get_threshold(), strict=True)
        generations = [generation for generation, (count, threshold) in enumerate(due) if count > threshold > 0]
        if generations:
            gc.collect(max(generations))
