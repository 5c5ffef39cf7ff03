"""What the actions on a NaN or an Inf do: go to where it began, and to the last step in which all was well there."""

from PySide6.QtCore import QObject, Slot

from gui.actions import Actions
from gui.incidents import LEADING, foremost, origin_key
from gui.origins import not_finite_event
from gui.session import Session


class OriginCommands(QObject):
    """They speak of the event of the shown step, else of the first of the run."""

    def __init__(self, actions: Actions, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        actions["go_to_origin"].triggered.connect(self.go_to_origin)
        actions["go_to_last_finite"].triggered.connect(self._go_to_last_finite)
        actions["compare_last_finite"].triggered.connect(self._compare)

    @Slot()
    def go_to_origin(self) -> None:
        """Shows where a value that is not finite came from, or where the exception was raised that ended the run: of
        the shown step, else the first of the run."""
        session = self._session
        event = foremost([event for event in session.incidents if event.kind in LEADING], session.step)
        if event is not None:
            session.reveal_at(event.step, origin_key(event))

    @Slot()
    def _go_to_last_finite(self) -> None:
        event = not_finite_event(self._session)
        last = None if event is None else self._session.last_finite.get(event.id)
        if event is not None and last is not None:
            self._session.reveal_at(last.step, origin_key(event))

    @Slot()
    def _compare(self) -> None:
        """Shows the origin, compared with the last finite step."""
        event = not_finite_event(self._session)
        last = None if event is None else self._session.last_finite.get(event.id)
        if event is not None and last is not None:
            self._session.pin(last.step)
            self._session.reveal_at(event.step, origin_key(event))
