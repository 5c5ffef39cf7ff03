"""The app's line to a training process: commands go out here, their effects come back on the tape."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from tracer.control.client import ControlClient, Hyperparameter, connect
from tracer.errors import ControlError, TapeError
from tracer.model.breakpoints import Breakpoint

RETRY_MSECS = 250


class RunControl(QObject):
    """Connects as soon as the training listens, and again if the line breaks, until `release`."""

    availability_changed = Signal(bool)
    failed = Signal(str)  # a command that did not reach the training, one sentence

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tape: Path | None = None
        self._client: ControlClient | None = None
        self._retry_timer = QTimer(self)
        self._retry_timer.setInterval(RETRY_MSECS)
        self._retry_timer.timeout.connect(self._try_to_connect)

    @property
    def is_available(self) -> bool:
        return self._client is not None

    def follow(self, tape: Path) -> None:
        """Connects to the process that writes `tape`, now or when it listens."""
        self.release()
        self._tape = tape
        self._retry_timer.start()
        self._try_to_connect()

    def release(self) -> None:
        """Hangs up. A training that waits goes on after its grace, unless it was told to hold."""
        self._retry_timer.stop()
        self._tape = None
        self._hang_up()

    def pause(self) -> None:
        self._send(lambda client: client.pause())

    def next(self) -> None:
        """Runs exactly one step."""
        self._send(lambda client: client.next())

    def continue_(self) -> None:
        self._send(lambda client: client.continue_())

    def continue_until(self, until: str | Breakpoint) -> None:
        """Runs on and stops once at a breakpoint, or where a condition without fields (its name) is met."""
        self._send(lambda client: client.continue_(until=until))

    def set_breakpoints(self, breakpoints: Sequence[Breakpoint]) -> bool:
        """These instead of those there were; whether it could be asked."""
        return self._send(lambda client: client.set_breakpoints(breakpoints))

    def set_hyperparameter(self, optimizer: str, group: int, name: str, value: Hyperparameter) -> bool:
        """Changes what a group of an optimizer works with; whether it could be asked."""
        return self._send(lambda client: client.set_hyperparameter(optimizer, group, name, value))

    def set_trainable(self, names: Sequence[str], is_trainable: bool) -> bool:
        """Freezes or unfreezes parameters, or those of modules; whether it could be asked."""
        return self._send(lambda client: client.set_trainable(names, is_trainable))

    def set_level(self, level: str, every: int) -> bool:
        """From the next step on records every `every`-th step at `level`; whether it could be asked."""
        return self._send(lambda client: client.set_level(level, every))

    def trace_sources(self) -> bool:
        """Notes the source lines of the next step; whether it could be asked."""
        return self._send(lambda client: client.trace_sources())

    def terminate(self) -> bool:
        """Asks the training to end at its next step boundary; whether it could be asked."""
        return self._send(lambda client: client.terminate())

    def _send(self, command: Callable[[ControlClient], object]) -> bool:
        if self._client is None:
            return False
        try:
            command(self._client)
        except ControlError as error:
            self._hang_up()
            if self._tape is not None:
                self._retry_timer.start()
            self.failed.emit(str(error))
            return False
        return True

    def _try_to_connect(self) -> None:
        if self._tape is None:
            return
        try:
            self._client = connect(self._tape)
        except (ControlError, TapeError):
            return  # Not begun yet, or started without control: tried again until the tape is closed.
        self._retry_timer.stop()
        self.availability_changed.emit(True)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
            self.availability_changed.emit(False)
