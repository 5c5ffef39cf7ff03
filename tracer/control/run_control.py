"""What the training is to do at its next step boundary. Set by the control thread, obeyed by the training thread."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Literal

OnDetach = Literal["resume", "hold"]

GRACE_SECS = 5.0
_LOOK_SECS = 0.2  # how often a waiting main thread gets the chance to see Ctrl-C
_ENDED_BY_REQUEST = 130  # the exit code that Ctrl-C would give


class RunControl:
    """`boundary` costs an attribute read while nothing is asked."""

    def __init__(
        self, on_detach: OnDetach = "resume", how_to_continue: str = "", grace_secs: float = GRACE_SECS
    ) -> None:
        self._changed = threading.Condition()
        self._stop_reason: str | None = None
        self._may_go = False
        self._is_ending = False
        self._n_clients = 0
        self._alone_since = 0.0
        self._on_detach = on_detach
        self._how_to_continue = how_to_continue
        self._grace_secs = grace_secs

    def obey(self, command: str) -> None:
        """Take one of `protocol.COMMANDS`; called by any thread."""
        with self._changed:
            self._stop_reason = {"pause": "pause", "next": "step"}.get(command)
            self._is_ending = self._is_ending or command == "terminate"
            self._may_go = command != "pause"
            self._changed.notify_all()

    def attach(self) -> None:
        """A client came."""
        with self._changed:
            self._n_clients += 1

    def detach(self) -> None:
        """A client went. If it was the last one, a paused training goes on after the grace, or holds."""
        with self._changed:
            self._n_clients -= 1
            self._alone_since = time.monotonic()
            self._changed.notify_all()

    def boundary(self, stopped: Callable[[str], None], continued: Callable[[], None]) -> None:
        """Wait if a stop was asked for: `stopped(reason)` before, `continued()` after. SystemExit where an end was
        asked for."""
        if self._stop_reason is not None:
            reason = self._take_stop()
            if reason is not None:
                stopped(reason)
                self._wait()
                continued()
        if self._is_ending:
            raise SystemExit(_ENDED_BY_REQUEST)

    def _take_stop(self) -> str | None:
        with self._changed:
            reason, self._stop_reason = self._stop_reason, None
            if reason is not None:
                self._may_go = False
            return reason

    def _wait(self) -> None:
        has_told = False
        with self._changed:
            while not self._may_go:
                self._changed.wait(_LOOK_SECS)
                is_alone = self._n_clients == 0 and time.monotonic() - self._alone_since > self._grace_secs
                if is_alone and self._on_detach == "resume":
                    return
                if is_alone and not has_told:
                    has_told = True
                    text = f"tapescope: paused and nobody is attached. {self._how_to_continue}"
                    with contextlib.suppress(OSError, ValueError):  # stderr may be closed
                        print(text, file=sys.stderr, flush=True)
