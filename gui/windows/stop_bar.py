"""A line over the graph while a breakpoint, or an exception, holds the training: why, and how to go on."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from gui.actions import Actions
from gui.session import UNASKED, Session
from gui.stops import stop_headline
from gui.theme import Theme, mix
from gui.windows.elided_label import ElidedLabel

NARROW_PX = 640


class StopBar(QWidget):
    """The sentence has one line; its tooltip tells what is cut."""

    edit_requested = Signal(int)  # of the id of the breakpoint that stopped
    origin_requested = Signal()

    def __init__(self, session: Session, actions: Actions, theme: Theme) -> None:
        super().__init__()
        self._session, self._actions, self._theme = session, actions, theme
        self.text = ElidedLabel()
        self.run_on, self.step, self.edit, self.go = QToolButton(), QToolButton(), QToolButton(), QToolButton()
        self.setObjectName("stop_bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._build()
        self.dress(theme)
        session.run_state_changed.connect(self._show)
        session.tape_changed.connect(self._show)
        self.edit.clicked.connect(self._ask_to_edit)
        self.go.clicked.connect(self.origin_requested)
        self._show()

    def dress(self, theme: Theme) -> None:
        self._theme = theme
        color = theme.error if self._is_exception else theme.warning
        self.setStyleSheet(
            f"#stop_bar {{ background: {mix(color, theme.panel, 0.1)};"
            f" border-bottom: 1px solid {mix(color, theme.panel, 0.4)}; }}"
            f"PlainLabel {{ color: {color}; font-weight: 600; }}"
            f"QToolButton {{ color: {theme.text}; border: 1px solid {mix(color, theme.panel, 0.4)};"
            f" border-radius: 6px; padding: 2px 10px; background: {theme.panel}; }}"
            f"QToolButton:hover, QToolButton:focus {{ border-color: {color}; }}"
            f"QToolButton:disabled {{ color: {theme.disabled_text}; }}"
        )

    def _build(self) -> None:
        self.run_on.setDefaultAction(self._actions["continue"])
        self.step.setDefaultAction(self._actions["step"])
        self.go.setToolTip(self.tr("Go to where the exception was raised"))
        self.edit.setToolTip(self.tr("Change the breakpoint that stopped the training"))
        self._give_room()
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 8, 4)
        row.setSpacing(6)
        row.addWidget(self.text, 1)
        for button in (self.run_on, self.step, self.go, self.edit):
            row.addWidget(button)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._give_room()

    def _give_room(self) -> None:
        """In a narrow window the sentence needs what the buttons' words would take."""
        is_narrow = self.width() < NARROW_PX
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if is_narrow else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        for button in (self.run_on, self.step):
            button.setToolButtonStyle(style)
        self.go.setText(self.tr("Go there") if is_narrow else self.tr("Go to exception"))
        self.edit.setText(self.tr("Edit…") if is_narrow else self.tr("Edit breakpoint…"))

    @property
    def _is_exception(self) -> bool:
        return self._session.stop_reason == "exception"

    @Slot()
    def _show(self) -> None:
        stop = self._session.stop
        is_shown = stop is not None and stop.data.get("reason") in UNASKED
        if stop is not None and is_shown:
            self.text.setText(f"{'⚠' if self._is_exception else '❚❚'}  {stop_headline(stop)}")
            self.go.setVisible(self._is_exception)
            self.edit.setVisible(any(number > 0 for number in stop.data.get("breakpoints") or ()))
            self.dress(self._theme)
        self.setVisible(is_shown)

    @Slot()
    def _ask_to_edit(self) -> None:
        stop = self._session.stop
        numbers = [] if stop is None else [number for number in stop.data.get("breakpoints") or () if number > 0]
        for number in numbers[:1]:
            self.edit_requested.emit(number)
