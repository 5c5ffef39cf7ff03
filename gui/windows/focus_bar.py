"""The line over the graph while only a part of it is shown: of what, how far around, and the way out."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from gui import format as fmt
from gui.actions import Actions
from gui.names import Names
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.theme import Theme, mix
from gui.windows.elided_label import ElidedLabel
from tracer.model.focus import BOTH, DOWNSTREAM, UPSTREAM, Focus

WAYS = {UPSTREAM: "Upstream", BOTH: "Both", DOWNSTREAM: "Downstream"}


class FocusBar(QWidget):
    """Hidden while everything is shown."""

    direction_chosen = Signal(str)

    def __init__(self, session: Session, actions: Actions, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("focus_bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self.text, self.hops = ElidedLabel(), PlainLabel()
        self.ways = {direction: QToolButton() for direction in WAYS}
        self._build(actions)
        self.setFixedHeight(34)
        self.dress(theme)
        session.options_changed.connect(self.refresh)
        session.drawing_changed.connect(self.refresh)
        for button in self.ways.values():
            button.clicked.connect(self._choose)
        self.refresh()

    def _build(self, actions: Actions) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 3, 6, 3)
        row.setSpacing(4)
        row.addWidget(self.text, 1)
        less, more = QToolButton(), QToolButton()
        less.setDefaultAction(actions["focus_less"])
        more.setDefaultAction(actions["focus_more"])
        self.hops.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for widget in (less, self.hops, more):
            row.addWidget(widget)
        row.addSpacing(8)
        for direction, button in self.ways.items():
            button.setText(self.tr(WAYS[direction]))
            button.setObjectName(direction)
            button.setCheckable(True)
            row.addWidget(button)
        row.addSpacing(8)
        leave = QToolButton()
        leave.setDefaultAction(actions["leave_focus"])
        leave.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        row.addWidget(leave)

    @Slot()
    def refresh(self) -> None:
        focus = self._session.options.focus
        self.setVisible(focus is not None)
        if focus is None:
            return
        self.text.setText(self.tr("Focused on {0}").format(self._name(focus)))
        self.hops.setText(fmt.plural(focus.hops, "hop"))
        for direction, button in self.ways.items():
            button.setChecked(direction == focus.direction)

    def _name(self, focus: Focus) -> str:
        drawing = self._session.drawing
        return focus.key if drawing is None else Names(drawing.graph).of(focus.key)

    @Slot()
    def _choose(self) -> None:
        direction = self.sender().objectName()
        self.ways[direction].setChecked(True)
        self.direction_chosen.emit(direction)

    def dress(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#focus_bar {{ background: {mix(theme.accent, theme.panel, 0.10)};"
            f" border-bottom: 1px solid {mix(theme.accent, theme.panel, 0.35)}; }}"
            f"PlainLabel {{ color: {theme.text}; font-weight: 600; }}"
            f"QToolButton {{ border: 1px solid transparent; border-radius: 5px; padding: 2px 7px; }}"
            f"QToolButton:hover, QToolButton:focus {{ border-color: {mix(theme.accent, theme.panel, 0.5)}; }}"
            f"QToolButton:checked {{ background: {theme.accent}; color: {theme.accent_text}; }}"
        )
