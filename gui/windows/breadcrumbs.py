"""The line over the graph that says where in the model one is; each part leads there."""

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from gui.crumbs import ELLIPSIS, Crumb, elided
from gui.plain_text import PlainLabel, plain_tip
from gui.theme import Theme

SEPARATOR = "›"
WIDEST_PX = 260
MARGINS_PX = 16


class Breadcrumbs(QWidget):
    """Shows as many parts as there is room for; what is left out opens from the dots."""

    chosen = Signal(str)
    crumbs_changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("breadcrumbs")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(self.tr("Where in the model"))
        self.crumbs: tuple[Crumb, ...] = ()
        self._shown: list[QWidget] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(8, 0, 8, 0)
        self._row.setSpacing(0)
        self._row.addStretch()
        self._fitting = QTimer(self)
        self._fitting.setSingleShot(True)
        self._fitting.timeout.connect(self._fit)
        self.setFixedHeight(26)
        self.setMinimumWidth(1)
        self.dress(theme)

    def show_crumbs(self, crumbs: tuple[Crumb, ...]) -> None:
        if crumbs != self.crumbs:
            self.crumbs = crumbs
            self._fit()
            self.crumbs_changed.emit()

    @property
    def needed_px(self) -> int:
        """With so much room nothing is left out."""
        return sum(self._width_of(crumb.text) for crumb in self.crumbs) + MARGINS_PX

    @property
    def texts(self) -> list[str]:
        """What can be read, from left to right."""
        return [widget.text() for widget in self._shown if isinstance(widget, QToolButton)]

    def resizeEvent(self, event: QResizeEvent) -> None:
        # A layout must not change while it is being applied.
        self._fitting.start(0)

    @Slot()
    def _fit(self) -> None:
        for widget in self._shown:
            self._row.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        first, end = elided([self._width_of(crumb.text) for crumb in self.crumbs], self.width() - MARGINS_PX, 40)
        widgets: list[QWidget] = []
        for place, crumb in enumerate(self.crumbs):
            if first <= place < end:
                if place == first:
                    widgets += [self._separator(), self._dots(self.crumbs[first:end])]
                continue
            widgets += [self._separator()] if place else []
            widgets.append(self._button(crumb, is_last=place == len(self.crumbs) - 1))
        for place, widget in enumerate(widgets):
            self._row.insertWidget(place, widget)
        self._shown = widgets

    def _width_of(self, text: str) -> int:
        return min(self.fontMetrics().horizontalAdvance(text), WIDEST_PX) + 20

    def _button(self, crumb: Crumb, is_last: bool) -> QToolButton:
        button = QToolButton(self)
        button.setText(self.fontMetrics().elidedText(crumb.text, Qt.TextElideMode.ElideMiddle, WIDEST_PX))
        button.setToolTip(plain_tip(crumb.key))
        button.setObjectName("here" if is_last else "")
        button.setProperty("crumb", crumb.key)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(self._choose)
        return button

    def _dots(self, hidden: tuple[Crumb, ...]) -> QToolButton:
        button = QToolButton(self)
        button.setText(ELLIPSIS)
        button.setToolTip(plain_tip(f" {SEPARATOR} ".join(crumb.text for crumb in hidden)))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        for crumb in hidden:
            action = menu.addAction(crumb.text)
            action.setProperty("crumb", crumb.key)
            action.triggered.connect(self._choose)
        button.setMenu(menu)
        return button

    def _separator(self) -> PlainLabel:
        return PlainLabel(SEPARATOR, self)

    @Slot()
    def _choose(self) -> None:
        self.chosen.emit(self.sender().property("crumb"))

    def dress(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#breadcrumbs {{ background: {theme.panel}; border-bottom: 1px solid {theme.border}; }}"
            f"PlainLabel {{ color: {theme.disabled_text}; }}"
            f"QToolButton {{ color: {theme.muted_text}; border: none; border-radius: 4px; padding: 1px 5px; }}"
            f"QToolButton#here {{ color: {theme.text}; font-weight: 600; }}"
            f"QToolButton:hover, QToolButton:focus {{ background: {theme.hover}; color: {theme.text}; }}"
            "QToolButton::menu-indicator { image: none; }"
        )
