"""The slim bar over the graph's corner in which one types what to find."""

import qtawesome
from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QToolButton

from gui import format as fmt
from gui.actions import Actions
from gui.canvas.canvas import GraphCanvas
from gui.finder import Finder
from gui.theme import Theme

FIELD_PX, COUNT_PX = 220, 84
_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)


class SearchBar(QFrame):
    """Lies on a canvas. Enter and Shift+Enter go from one find to the next, Escape closes."""

    def __init__(self, finder: Finder, canvas: GraphCanvas, actions: Actions, theme: Theme) -> None:
        super().__init__(canvas)
        self._finder = finder
        self._canvas = canvas
        self._margin = theme.sizes.margin
        self.field, self.count, self.close_button = QLineEdit(), QLabel(), QToolButton()
        self._build(actions)
        self.hide()
        self.dress(theme)
        self.field.textChanged.connect(finder.look_for)
        self.field.installEventFilter(self)
        self.close_button.clicked.connect(self.dismiss)
        finder.changed.connect(self._show_count)
        canvas.resized.connect(self._place)

    def _build(self, actions: Actions) -> None:
        self.setObjectName("search_bar")
        self.field.setPlaceholderText(self.tr("Find op, module, parameter, shape"))
        self.field.setToolTip(
            self.tr(
                "Names may have * and ?, as in layers.*.weight\n"
                "op:relu   module:encoder   param:bias   shape:64x128 look for one kind alone"
            )
        )
        self.field.setAccessibleName(self.tr("Find in graph"))
        self.field.setClearButtonEnabled(True)
        self.field.setMinimumWidth(60)
        self.count.setMinimumWidth(COUNT_PX)
        self.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.close_button.setToolTip(self.tr("Close (Esc)"))
        self.close_button.setAccessibleName(self.tr("Close"))
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 5, 5, 5)
        row.setSpacing(3)
        row.addWidget(self.field, 1)
        row.addWidget(self.count)
        for name in ("find_previous", "find_next"):
            button = QToolButton()
            button.setDefaultAction(actions[name])
            row.addWidget(button)
        row.addWidget(self.close_button)

    @Slot()
    def open(self) -> None:
        """Shows the bar, or puts the cursor in it; the text of the last search can be typed over."""
        self._finder.open()
        self.show()
        self.raise_()
        self._place()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    @Slot()
    def dismiss(self) -> None:
        self._finder.close()
        self.hide()
        self._canvas.set_covered_height(0)
        self._canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.key() not in _KEYS:
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.ShortcutOverride:
            # Here they are no shortcuts of the window's.
            event.accept()
            return True
        if event.type() != QEvent.Type.KeyPress:
            return False
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._finder.previous()
        else:
            self._finder.next()
        return True

    @Slot()
    def _show_count(self) -> None:
        finder = self._finder
        is_vain = bool(finder.text.strip()) and not finder.found
        count = fmt.count(len(finder.found))
        if is_vain:
            text = self.tr("Nothing found")
        elif not finder.found:
            text = ""
        elif finder.place < 0:
            text = self.tr("{0} found").format(count)
        else:
            text = self.tr("{0} of {1}").format(fmt.count(finder.place + 1), count)
        self.count.setText(text)
        self.count.setProperty("vain", is_vain)
        self.count.style().polish(self.count)

    @Slot()
    def _place(self) -> None:
        """In the upper right corner; the legend makes room."""
        if self.isHidden():
            return
        room = self._canvas.width() - 2 * self._margin
        width = min(self.sizeHint().width() - self.field.sizeHint().width() + FIELD_PX, room)
        self.setGeometry(self._canvas.width() - self._margin - width, self._margin, width, self.sizeHint().height())
        self._canvas.set_covered_height(self.height() + self._margin)

    def dress(self, theme: Theme) -> None:
        self.close_button.setIcon(qtawesome.icon("mdi6.close", color=theme.text))
        self.setStyleSheet(
            f"#search_bar {{ background: {theme.panel}; border: 1px solid {theme.border}; border-radius: 8px; }}"
            f"QLabel {{ color: {theme.muted_text}; }} QLabel[vain='true'] {{ color: {theme.error}; }}"
        )
