"""How the training stands, in a rounded label with a sign."""

from html import escape

from PySide6.QtCore import Slot

from gui.plain_text import PlainLabel
from gui.session import Session
from gui.stops import stop_headline, stop_word
from gui.theme import Theme, mix

_SIGNS = {"starting": "◌", "running": "●", "paused": "❚❚", "ended": "■"}


class RunPill(PlainLabel):
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
        is_broken = self._session.stop_reason in ("abrupt", "unreadable")
        has_failed = state == "ended" and (self._session.exception is not None or is_broken)
        self.setText(f"{_SIGNS.get(state, '')}  {self._words(state)}")
        self.setToolTip(self._tip(has_failed))
        stopped = self._theme.error if self._session.stop_reason == "exception" else self._theme.warning
        color = {
            "starting": self._theme.muted_text,
            "running": self._theme.success,
            "paused": stopped,
            "ended": self._theme.error if has_failed else self._theme.muted_text,
        }.get(state, self._theme.muted_text)
        self.setStyleSheet(
            f"PlainLabel {{ color: {color}; background: {mix(color, self._theme.panel, 0.13)};"
            f" border: 1px solid {mix(color, self._theme.panel, 0.35)};"
            " border-radius: 11px; padding: 3px 11px; font-weight: 600; }"
        )

    def _words(self, state: str) -> str:
        if state == "paused":
            word = stop_word(self._session.stop_reason)
            return self.tr("Paused") + (f" · {word}" if word else "")
        if state == "ended" and self._session.exception is not None:
            return self.tr("Failed: {0}").format(self._session.exception.data.get("type", ""))
        if state == "ended" and self._session.stop_reason == "abrupt":
            return self.tr("Ended abruptly")
        if self._session.unreadable:
            return self.tr("Damaged")
        return {
            "starting": self.tr("Starting") if self._session.follows_live else self.tr("Reading"),
            "running": self.tr("Running"),
            "ended": self.tr("Ended"),
        }.get(state, "")

    def _tip(self, has_failed: bool) -> str:
        exception, stop = self._session.exception, self._session.stop
        if stop is not None:
            return f"<p>{escape(stop_headline(stop))}</p>"
        if not has_failed:
            return ""
        if self._session.unreadable:
            return f"<p>{escape(self._session.unreadable)}</p>"
        if exception is None:
            return self.tr("The training process is gone without having closed its tape")
        # A tooltip that looks like HTML would be shown as such; this one is wrapped by being it.
        return f"<p>{escape(str(exception.data.get('message', '')))}</p>"
