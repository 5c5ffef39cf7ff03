"""The thread that reads what was measured of gradients, step by step, and says how they flow."""

import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QThread, Signal

from gui.scales import Scale
from tracer import Tape
from tracer.errors import TapeError
from tracer.model.gradient_flow import MOST_COLUMNS, Finding, GradientFlow, Norms, by_module
from tracer.model.step_table import StepTable

POLL_SECS = 0.5
MOST_DECADES = 16
"""Less than a float64 can tell from the largest."""

TELL_SECS = 0.25
"""While much is being read, so often is told how far it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Norms, and the logarithmic scale of those that have a size; None where none has."""

    norms: Norms
    scale: Scale | None


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """What is known of a tape's gradients so far. `n_measured` are the measured steps, `n_read` those looked at;
    `is_complete` where nothing more waits to be read."""

    parameters: Scaled
    modules: Scaled
    findings: tuple[Finding, ...]
    n_measured: int
    n_read: int
    is_complete: bool


class GradientReader(QThread):
    """Reads all measured steps of a tape (of very many every so many), then those that are added, until the run has
    ended or `finish` is called."""

    read = Signal(object)  # Gradients

    def __init__(self, tape: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = tape
        self._is_finishing = threading.Event()
        self._flow = GradientFlow()
        self._waiting: list[int] = []
        self._n_measured = 0
        self._told_at = 0.0

    def finish(self) -> None:
        """Ends the thread and waits for it, some milliseconds."""
        self._is_finishing.set()
        self.wait()

    def run(self) -> None:
        try:
            with Tape(self._path) as tape:
                self._follow(tape)
        except TapeError:
            pass  # the follower of the tape reads the same and says so

    def _follow(self, tape: Tape) -> None:
        while not self._is_finishing.is_set():
            state = tape.state
            self._queue(tape.refresh(with_scalars=False).steps)
            is_live = state == "live"
            if self._read(tape, is_live) or not self._told_at:
                self._tell(is_complete=True)
            if not is_live:
                return
            self._is_finishing.wait(POLL_SECS)

    def _queue(self, steps: StepTable) -> None:
        measured = steps.measured()
        self._n_measured += len(measured)
        self._waiting += measured[:: math.ceil(len(measured) / MOST_COLUMNS) or 1]

    def _read(self, tape: Tape, is_live: bool) -> bool:
        """Takes in what waits; whether there was anything. Of a live run the newest numbers may not be there yet."""
        n_before = self._flow.n_added
        while self._waiting and not self._is_finishing.is_set():
            try:
                statistics = tape.statistics(self._waiting[0])
            except TapeError:
                if is_live and len(self._waiting) == 1:
                    break
                statistics = None
            step = self._waiting.pop(0)
            if statistics is not None:
                self._flow.add(step, statistics)
            if time.monotonic() - self._told_at > TELL_SECS:
                self._tell(is_complete=False)
        return self._flow.n_added > n_before

    def _tell(self, *, is_complete: bool) -> None:
        self._told_at = time.monotonic()
        norms = self._flow.parameters()
        findings = self._flow.findings()
        parts = _scaled(norms), _scaled(by_module(norms))
        self.read.emit(Gradients(*parts, findings, self._n_measured, self._flow.n_added, is_complete))


def _scaled(norms: Norms) -> Scaled:
    """Whole powers of ten; the scale of the colourings ends eight below its top, where gradients have long not
    vanished."""
    known = norms.values[np.isfinite(norms.values) & (norms.values > 0)]
    if not len(known):
        return Scaled(norms, None)
    top = math.ceil(math.log10(known.max()))
    bottom = max(math.floor(math.log10(known.min())), top - MOST_DECADES)
    return Scaled(norms, Scale(float(f"1e{min(bottom, top - 1)}"), float(f"1e{top}"), is_log=True))
