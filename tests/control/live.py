"""A real training in its own process, and a client of it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tracer import Event, Tape, TapeError
from tracer.control.client import connect

ROOT = Path(__file__).resolve().parents[2]
TRAINER = Path(__file__).with_name("trainer.py")


@contextmanager
def training(
    tape: Path, *options: str, n_steps: int = 10_000_000, script: Path = TRAINER
) -> Iterator[subprocess.Popen[str]]:
    """A script under `tapescope run`, killed at the end if it still runs."""
    command = [sys.executable, "main.py", "run", "--headless", *options, "-o", str(tape), str(script), str(n_steps)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class Run:
    """The client's side: an open tape, and a wait for its events."""

    def __init__(self, path: Path, process: subprocess.Popen[str]) -> None:
        self.tape = self._begun(path, process)
        self._items = self.tape.follow()
        self.client = connect(path, timeout_secs=60)

    def _begun(self, path: Path, process: subprocess.Popen[str]) -> Tape:
        while True:
            try:
                return Tape(path)
            except TapeError:
                with suppress(subprocess.TimeoutExpired):
                    raise AssertionError(f"the training ended with {process.wait(0.02)}") from None

    def next_event(self, *kinds: str) -> Event:
        return next(item for item in self._items if isinstance(item, Event) and item.kind in kinds)

    def close(self) -> None:
        self.client.close()
        self.tape.close()
