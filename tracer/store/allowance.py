"""A share of the time that passes, to be spent on something that can also be left undone."""

import time
from types import TracebackType

BURST_SECS = 0.5


class Allowance:
    """`with allowance as is_allowed:` what is done within counts, if it was allowed. Of unused time at most what half a
    second gives is saved up."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = 0.0
        self._since = time.monotonic()
        self._began: float | None = None

    def __enter__(self) -> bool:
        now = time.monotonic()
        self._saved = min(self._saved + self._share * (now - self._since), self._share * BURST_SECS)
        self._since = now
        is_allowed = self._saved > 0
        self._began = now if is_allowed else None
        return is_allowed

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._began is not None:
            self._saved -= time.monotonic() - self._began
