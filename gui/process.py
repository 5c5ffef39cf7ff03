"""The training process that the app starts: its command line, its output, its end.

The process writes its output to two files beside the tape, which the app reads as they grow. So it neither waits for
the app nor dies with it: "let it run on" is to do nothing.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PySide6.QtCore import QObject, QTimer, Signal

from tracer.launch import command as tapescope

POLL_MSECS = 40
RELEASED_POLL_MSECS = 1000
READ_LIMIT_BYTES = 256 * 1024
GRACE_SECS = 3.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run and where its tape goes. `options` are `tapescope run`'s own."""

    script: Path
    arguments: tuple[str, ...]
    tape: Path
    options: tuple[str, ...] = ()


def run_command(launch: Launch) -> list[str]:
    own = ("run", "--headless", "-o", str(launch.tape), *launch.options)
    return tapescope(*own, str(launch.script), *launch.arguments)


def new_tape_path(folder: Path, script: Path) -> Path:
    """A path for a new tape of a script, named by it and the time, that no file has."""
    name = f"{script.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, number = folder / f"{name}.tape", 2
    while path.exists():
        path, number = folder / f"{name}-{number}.tape", number + 1
    return path


class TrainingProcess(QObject):
    """A running script. `ended` carries the exit code, negative for a signal, as `subprocess` has it."""

    output_read = Signal(bytes, bool)  # what was written since, whether to stderr
    ended = Signal(int)

    def __init__(self, launch: Launch, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.launch = launch
        self._process: subprocess.Popen[bytes] | None = None
        self._readers: list[tuple[BinaryIO, bool]] = []
        self._stop_deadlines: list[float] = []
        self._poll_timer = QTimer(self)
        self._poll_timer.setInterval(POLL_MSECS)
        self._poll_timer.timeout.connect(self._poll)

    def start(self) -> None:
        """Raises OSError when the tape's folder cannot be written or Python cannot be started."""
        self.launch.tape.parent.mkdir(parents=True, exist_ok=True)
        out_path, err_path = output_paths(self.launch.tape)
        with out_path.open("wb") as out, err_path.open("wb") as err:
            self._process = subprocess.Popen(
                run_command(self.launch),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.launch.script.parent,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                **_detached(),
            )
        self._readers = [(out_path.open("rb"), False), (err_path.open("rb"), True)]
        self._poll_timer.start()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def stop(self) -> None:
        """Ends it by force if it has not ended by itself in 3 s: first asked by signal, 3 s later killed."""
        if self.is_running and not self._stop_deadlines:
            now = time.monotonic()
            self._stop_deadlines = [now + GRACE_SECS, now + 2 * GRACE_SECS]

    def terminate(self) -> None:
        """Asks it to end by signal at once; kills it 3 s later."""
        if self._process is not None and self.is_running:
            self._process.terminate()
            self._stop_deadlines = [time.monotonic() + GRACE_SECS]

    def finish(self) -> None:
        """Waits for the end it was asked for, 3 s at most; then ends it by signal, and at last by force."""
        process = self._process
        if process is not None:
            ended = _ends_in_time(process)
            for force in (process.terminate, process.kill):
                if not ended:
                    force()
                    ended = _ends_in_time(process)
        self._poll_timer.stop()
        self._close_readers()

    def release(self) -> None:
        """Lets go of the process: it runs on by itself, its output in the files beside the tape.

        It is still waited for while the app lives, so that no zombie stays behind.
        """
        self._close_readers()
        self._stop_deadlines = []
        self._poll_timer.setInterval(RELEASED_POLL_MSECS)

    def _poll(self) -> None:
        code = self._process.poll() if self._process is not None else None
        more = [self._read(reader, is_error) for reader, is_error in self._readers]
        if code is not None and not any(more):
            self._poll_timer.stop()
            self._close_readers()
            self.ended.emit(code)
        elif code is None:
            self._enforce_stop()

    def _read(self, reader: BinaryIO, is_error: bool) -> bool:
        data = reader.read(READ_LIMIT_BYTES)
        if data:
            self.output_read.emit(data, is_error)
        return bool(data)

    def _enforce_stop(self) -> None:
        if self._process is None or not self._stop_deadlines or time.monotonic() < self._stop_deadlines[0]:
            return
        self._stop_deadlines.pop(0)
        if self._stop_deadlines:
            self._process.terminate()
        else:
            self._process.kill()

    def _close_readers(self) -> None:
        for reader, _ in self._readers:
            reader.close()
        self._readers = []


def _ends_in_time(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(GRACE_SECS)
    except subprocess.TimeoutExpired:
        return False
    return True


def output_paths(tape: Path) -> tuple[Path, Path]:
    """Where the stdout and stderr of a run started in the app are kept."""
    return tape.with_suffix(".stdout.txt"), tape.with_suffix(".stderr.txt")


def _detached() -> dict[str, object]:
    """Out of the app's process group, so that Ctrl-C in the app's terminal does not reach the training as well."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
