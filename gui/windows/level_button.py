"""What is recorded of each step, as a button in the toolbar with a menu to change it."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QMenu, QToolButton

from gui.levels import TITLES, sampling_text
from gui.session import Session


class LevelButton(QToolButton):
    """Says what the tape says; of use only while the run is on. Its menu is filled by others."""

    use_changed = Signal(bool)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setMenu(QMenu(self))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setAccessibleName(self.tr("Recording level"))
        session.sampling_changed.connect(self._show)
        session.run_state_changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        sampling = self._session.sampling
        every = f" / {sampling.every}" if sampling.every > 1 else ""
        self.setText(f"{TITLES[sampling.level]}{every}")
        self.setToolTip(self.tr("Recorded now: {0}").format(sampling_text(sampling)))
        self.use_changed.emit(self.is_of_use)

    @property
    def is_of_use(self) -> bool:
        return self._session.run_state in ("running", "paused")
