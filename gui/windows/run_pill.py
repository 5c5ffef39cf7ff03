"""How the training stands, in a rounded label with a sign."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel

from gui.session import Session
from gui.theme import Theme, mix

_SIGNS = {"starting": "◌", "running": "●", "paused": "❚❚", "ended": "■"}


class RunPill(QLabel):
    def __init__(self, session: Session, theme: Theme) -> None:
        super().__init__()
        self._session = session
        self._theme = theme
        self.setAccessibleName(self.tr("State of the run"))
        session.run_state_changed.connect(self._show)
        self._show()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._show()

    @Slot()
    def _show(self) -> None:
        state = self._session.run_state
        self.setText(f"{_SIGNS.get(state, '')}  {self._words(state)}")
        color = {
            "starting": self._theme.muted_text,
            "running": self._theme.success,
            "paused": self._theme.warning,
            "ended": self._theme.muted_text,
        }.get(state, self._theme.muted_text)
        self.setStyleSheet(
            f"QLabel {{ color: {color}; background: {mix(color, self._theme.panel, 0.13)};"
            f" border: 1px solid {mix(color, self._theme.panel, 0.35)};"
            " border-radius: 11px; padding: 3px 11px; font-weight: 600; }"
        )

    def _words(self, state: str) -> str:
        if state == "paused":
            reasons = {"pause": "", "step": self.tr(" after a step"), "topology_changed": self.tr(": new structure")}
            reason = self._session.stop_reason
            return self.tr("Paused") + reasons.get(reason, f": {reason.replace('_', ' ')}")
        return {
            "starting": self.tr("Starting"),
            "running": self.tr("Running"),
            "ended": self.tr("Ended"),
        }.get(state, "")
