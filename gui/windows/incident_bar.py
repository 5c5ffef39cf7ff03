"""A line over the graph that says what the user has to know: a loss that is not finite, a capture that failed."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from gui import format as fmt
from gui.incidents import LEADING, foremost, headline
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.theme import Theme, mix
from tracer import Event

ROOM_PX = 48
"""Margins, and what lies between the text and the buttons."""


class IncidentBar(QWidget):
    """Shows the incident of the shown step, else the first of the run; once closed it stays so until another comes.
    Of the exception that holds the training the stop bar speaks."""

    origin_requested = Signal()
    compare_requested = Signal()

    def __init__(self, session: Session, theme: Theme) -> None:
        super().__init__()
        self._session = session
        self._closed_count = 0
        self.text = PlainLabel()
        self.go, self.compare, self.close_button = QToolButton(), QToolButton(), QToolButton()
        self.setObjectName("incident_bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._build()
        self.dress(theme)
        session.tape_changed.connect(self._start_over)
        session.incidents_changed.connect(self._show)
        session.step_changed.connect(self._show)
        session.run_state_changed.connect(self._show)
        self.go.clicked.connect(self.origin_requested)
        self.compare.clicked.connect(self.compare_requested)
        self.close_button.clicked.connect(self._close)
        self._show()

    def dress(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#incident_bar {{ background: {mix(theme.error, theme.panel, 0.12)};"
            f" border-bottom: 1px solid {mix(theme.error, theme.panel, 0.45)}; }}"
            f"PlainLabel {{ color: {theme.error}; font-weight: 600; }}"
            f"QToolButton {{ color: {theme.error}; border: 1px solid {mix(theme.error, theme.panel, 0.45)};"
            " border-radius: 6px; padding: 2px 10px; font-weight: 600; }"
            f"QToolButton:hover, QToolButton:focus {{ border-color: {theme.error}; }}"
        )

    def _build(self) -> None:
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.go.setText(self.tr("Go to origin"))
        self.compare.setToolTip(self.tr("Show the origin, compared with the last step in which it was finite"))
        self.close_button.setText("✕")
        self.close_button.setToolTip(self.tr("Hide this message"))
        self.close_button.setAccessibleName(self.tr("Hide this message"))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 8, 5)
        row.setSpacing(8)
        row.addWidget(self.text, 1)
        row.addWidget(self.compare)
        row.addWidget(self.go)
        row.addWidget(self.close_button)

    @property
    def _told(self) -> tuple[Event, ...]:
        incidents = self._session.incidents
        if self._session.stop_reason != "exception":
            return incidents
        return tuple(event for event in incidents if event is not self._session.exception)

    @Slot()
    def _show(self) -> None:
        incidents = self._told
        event = foremost(incidents, self._session.step)
        self.setVisible(event is not None and len(incidents) > self._closed_count)
        if event is None:
            return
        more = len(incidents) - 1
        rest = self.tr("   (and {0} more)").format(fmt.count(more)) if more else ""
        self.text.setText(f"⚠  {headline(event)}{rest}")
        self.go.setVisible(event.kind in LEADING)
        self.go.setText(self.tr("Go to exception") if event.kind == "exception" else self.tr("Go to origin"))
        self._show_compare()

    def _show_compare(self) -> None:
        """Where the sentence has its line all the same."""
        event = foremost(self._told, self._session.step)
        last = None if event is None else self._session.last_finite.get(event.id)
        if last is not None:
            self.compare.setText(self.tr("Compare with step {0}").format(fmt.count(last.step)))
        self.compare.setVisible(last is not None and self._needed_px() <= self.width())

    def _needed_px(self) -> int:
        text = self.text.fontMetrics().horizontalAdvance(self.text.text())
        buttons = (self.compare, self.go, self.close_button)
        return text + sum(button.sizeHint().width() for button in buttons) + ROOM_PX

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_compare()

    @Slot()
    def _close(self) -> None:
        self._closed_count = len(self._told)
        self._show()

    @Slot()
    def _start_over(self) -> None:
        self._closed_count = 0
        self._show()
