"""How long the main thread does nothing but one thing: by the clock, by its own CPU time, and in which slot.

On a busy machine the clock also counts what others had of the core and of the interpreter; the CPU time is ours alone.
"""

import signal
import time
from collections import Counter
from types import CodeType, FrameType

from PySide6.QtCore import QObject, Qt, QTimer, Slot

SAMPLE_SECS = 0.001
TOLD_CALLS = 3
"""So much of the way from the event loop into the app is told of the slot."""


class Heartbeat(QObject):
    """A timer of 1 ms; what lies between two of its beats is a turn of the event loop.

    `longest_ms` is the longest turn by the clock, `longest_cpu_ms` the most that one took of the CPU, and `slot` where
    that one was found, by looking every millisecond.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._beat)
        self._samples: list[tuple[str, ...]] = []
        self._clock = self._cpu = 0.0
        self.longest_ms = self.longest_cpu_ms = 0.0
        self.slot = ""

    def start(self) -> None:
        self.longest_ms = self.longest_cpu_ms = 0.0
        self.slot = ""
        self._samples.clear()
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, SAMPLE_SECS, SAMPLE_SECS)
        self._clock, self._cpu = time.perf_counter(), time.thread_time()
        self._timer.start()

    @Slot()
    def stop(self) -> None:
        self._beat()
        self._timer.stop()
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    @Slot()
    def _beat(self) -> None:
        clock, cpu = time.perf_counter(), time.thread_time()
        self.longest_ms = max(self.longest_ms, (clock - self._clock) * 1_000)
        if (cpu - self._cpu) * 1_000 > self.longest_cpu_ms:
            self.longest_cpu_ms = (cpu - self._cpu) * 1_000
            self.slot = _most_seen(self._samples)
        self._samples.clear()
        self._clock, self._cpu = time.perf_counter(), time.thread_time()

    def _look(self, _number: int, frame: FrameType | None) -> None:
        calls: list[CodeType] = []
        while frame is not None and "/benchmarks/" not in frame.f_code.co_filename:
            calls.append(frame.f_code)
            frame = frame.f_back
        if calls:
            self._samples.append(tuple(code.co_qualname for code in reversed(calls)))


def _most_seen(samples: list[tuple[str, ...]]) -> str:
    """The way on which most samples lie, and what share of them."""
    way: tuple[str, ...] = ()
    for length in range(1, TOLD_CALLS + 1):
        longer = Counter(sample[:length] for sample in samples if len(sample) >= length and sample[: length - 1] == way)
        if not longer:
            break
        way = longer.most_common(1)[0][0]
    if not way:
        return "nothing of ours"
    share = sum(sample[: len(way)] == way for sample in samples) / len(samples)
    return f"{' > '.join(way)}, {share:.0%} of it"
