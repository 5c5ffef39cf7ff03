"""Times of pieces of work: by the host's clock, on an accelerator by events in its stream, read when it got there."""

from functools import partial
from time import perf_counter_ns

import numpy as np
import torch

from tracer.capture.probe import Late

Mark = int | torch.Event
"""A moment: nanoseconds of the host's clock, or an event that the accelerator passes."""

_is_capturing = torch.cuda.is_current_stream_capturing if torch.cuda.is_available() else None


class Stopwatch:
    """Marks moments and reads what lies between two. Its events come from a pool; no call waits for the
    accelerator."""

    def __init__(self) -> None:
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self._accelerator = None if accelerator is None else accelerator.type
        self._free: dict[torch.device, list[torch.Event]] = {}

    def mark(self, device: torch.device | None) -> Mark:
        """Now, as the stream of `device` sees it; by the host's clock where that is no accelerator's, or while
        a CUDA graph is captured."""
        if device is None or device.type != self._accelerator or (_is_capturing is not None and _is_capturing()):
            return perf_counter_ns()
        free = self._free.setdefault(device, [])
        event = free.pop() if free else torch.Event(device, enable_timing=True)
        event.record(torch.accelerator.current_stream(device))
        return event

    def later(self, marks: list[tuple[Mark, Mark]]) -> torch.Tensor | Late:
        """The seconds between the two of each pair, float64, at once where only the host's clock was asked."""
        if all(isinstance(ended, int) for _, ended in marks):
            return self.read(marks)
        return partial(self.read, marks)

    def read(self, marks: list[tuple[Mark, Mark]]) -> torch.Tensor:
        """Seconds between the two of each pair, float64; NaN where an accelerator is not there yet. Takes the events
        back."""
        secs = [self._secs(begun, ended) for begun, ended in marks]
        return torch.from_numpy(np.array(secs, dtype=np.float64))

    def _secs(self, begun: Mark, ended: Mark) -> float:
        if isinstance(begun, int) or isinstance(ended, int):
            return (ended - begun) / 1e9 if isinstance(begun, int) and isinstance(ended, int) else float("nan")
        secs = begun.elapsed_time(ended) / 1e3 if ended.query() else float("nan")
        self._free.setdefault(begun.device, []).append(begun)
        self._free.setdefault(ended.device, []).append(ended)
        return float(secs)
