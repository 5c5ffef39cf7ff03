"""Shows only what is near the selection: sets the session's focus, widens it, turns it, and leaves it."""

from dataclasses import replace

from PySide6.QtCore import QObject, Slot

from gui.findings import LINK
from gui.session import Session
from tracer.model.focus import DIRECTIONS, Focus


class Focusing(QObject):
    """A focus keeps its hops and its direction when it moves to something else."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session

    @Slot()
    def start(self) -> None:
        """Focuses on the selection; on a link there is nothing to focus."""
        key = self._session.selection
        if key and LINK not in key:
            self._set(replace(self._session.options.focus or Focus(""), key=key))

    @Slot()
    def leave(self) -> None:
        self._set(None)

    @Slot()
    def widen(self) -> None:
        self._change_hops(1)

    @Slot()
    def narrow(self) -> None:
        self._change_hops(-1)

    @Slot()
    def turn(self) -> None:
        """The next of: both ways, upstream, downstream."""
        focus = self._session.options.focus
        if focus is not None:
            self.turn_to(DIRECTIONS[(DIRECTIONS.index(focus.direction) + 1) % len(DIRECTIONS)])

    @Slot(str)
    def turn_to(self, direction: str) -> None:
        focus = self._session.options.focus
        if focus is not None:
            self._set(replace(focus, direction=direction))

    def _change_hops(self, change: int) -> None:
        focus = self._session.options.focus
        if focus is not None:
            self._set(focus.with_hops(focus.hops + change))

    def _set(self, focus: Focus | None) -> None:
        self._session.set_options(focus=focus)
