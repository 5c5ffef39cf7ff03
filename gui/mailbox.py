"""What one thread asks of another: the latest question only."""

import threading
from typing import Generic, TypeVar

Asked = TypeVar("Asked")


class Mailbox(Generic[Asked]):
    """Holds one question, the latest, until the answering thread takes it; `close` ends that thread's waiting.

    `waiting` and `current`, the one taken last, may be read by the answering thread at any time.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.waiting: Asked | None = None
        self.current: Asked | None = None
        self.is_closed = False

    def put(self, question: Asked) -> None:
        with self._changed:
            self.waiting = question
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self.is_closed = True
            self._changed.notify()

    def take(self) -> Asked | None:
        """Waits for a question; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_news)
            self.current, self.waiting = self.waiting, None
            return None if self.is_closed else self.current

    def stays_empty(self, secs: float) -> bool:
        """Waits that long, or until something comes; whether nothing did."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._has_news, secs)

    @property
    def _has_news(self) -> bool:
        return self.waiting is not None or self.is_closed
