"""What can be looked for, by examples: a click on one looks for it."""

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QGridLayout, QPushButton, QWidget

from gui.plain_text import PlainLabel
from gui.query_texts import EXAMPLES
from gui.theme import Theme


class QueryHelp(QFrame):
    """Closes at a click elsewhere, and with Escape."""

    chosen = Signal(str)  # a query

    def __init__(self, host: QWidget) -> None:
        super().__init__(host, Qt.WindowType.Popup)
        self.setObjectName("query_help")
        self.setAccessibleName(self.tr("Examples of queries"))
        self.buttons: list[QPushButton] = []
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 12, 14, 12)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(3)
        title = PlainLabel(self.tr("Ask for nodes of this step, or for steps"))
        title.setObjectName("query_help_title")
        grid.addWidget(title, 0, 0, 1, 2)
        for row, (query, meaning) in enumerate(EXAMPLES, 1):
            button = QPushButton(query)
            button.setFlat(True)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.setAccessibleDescription(meaning)
            button.clicked.connect(self._choose)
            grid.addWidget(button, row, 0)
            grid.addWidget(PlainLabel(meaning), row, 1)
            self.buttons.append(button)
        note = self.tr("Enter and Shift+Enter go from one to the next; Tab takes a proposal")
        foot = PlainLabel(note)
        foot.setObjectName("query_help_foot")
        grid.addWidget(foot, len(EXAMPLES) + 1, 0, 1, 2)

    def open_under(self, widget: QWidget) -> None:
        """With its right edge under the widget's."""
        self.adjustSize()
        corner = widget.mapToGlobal(QPoint(widget.width(), widget.height() + 6))
        screen = widget.screen().availableGeometry()
        left = max(corner.x() - self.width(), screen.left())
        self.move(left, min(corner.y(), max(screen.bottom() - self.height(), screen.top())))
        self.show()
        self.buttons[0].setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot()
    def _choose(self) -> None:
        button = self.sender()
        self.hide()
        if isinstance(button, QPushButton):
            self.chosen.emit(button.text())

    def dress(self, theme: Theme) -> None:
        sizes = theme.sizes
        self.setStyleSheet(
            f"#query_help {{ background: {theme.panel}; border: 1px solid {theme.border}; }}"
            f"PlainLabel {{ color: {theme.muted_text}; }}"
            f"#query_help_title {{ color: {theme.text}; font-weight: 600; padding-bottom: 4px; }}"
            "#query_help_foot { padding-top: 6px; }"
            f"QPushButton {{ font-family: 'DejaVu Sans Mono'; font-size: {sizes.code_text}px; color: {theme.link};"
            " border: 0; border-radius: 4px; padding: 3px 6px; text-align: left; background: transparent; }"
            f"QPushButton:hover, QPushButton:focus {{ background: {theme.accent_soft}; color: {theme.text}; }}"
        )
