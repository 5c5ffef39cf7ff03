"""The slim bar over the graph's corner in which one types what to find."""

import qtawesome
from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QToolButton, QVBoxLayout

from gui.actions import Actions
from gui.canvas.canvas import GraphCanvas
from gui.finder import Finder
from gui.plain_text import PlainLabel
from gui.query_texts import Proposals, count_text, is_for_steps, proposals, turned_to_steps
from gui.session import Session
from gui.theme import Theme
from gui.windows.query_completer import QueryCompleter
from gui.windows.query_help import QueryHelp

FIELD_PX, COUNT_PX = 330, 84
LEAST_PX = 460
"""In less room the field gets what the buttons took; all of them have keys, or words to type."""
_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)


class SearchBar(QFrame):
    """Lies on a canvas. Enter and Shift+Enter go from one find to the next, Escape closes."""

    def __init__(self, finder: Finder, session: Session, canvas: GraphCanvas, actions: Actions, theme: Theme) -> None:
        super().__init__(canvas)
        self._finder = finder
        self._session = session
        self._canvas = canvas
        self._margin = theme.sizes.margin
        self.field, self.count, self.message = QLineEdit(), PlainLabel(), PlainLabel()
        self.steps_button, self.help_button, self.close_button = QToolButton(), QToolButton(), QToolButton()
        self._way_buttons = QToolButton(), QToolButton()
        self.help = QueryHelp(self)
        self._build(actions)
        self.completer = QueryCompleter(self.field, self._propose)
        self.hide()
        self.dress(theme)
        self._connect()

    def _build(self, actions: Actions) -> None:
        self.setObjectName("search_bar")
        self.field.setPlaceholderText(self.tr("op:relu module:layer3.*"))
        self.field.setToolTip(self.tr("Ops, modules, parameters, shapes, or steps; ? shows examples"))
        self.field.setAccessibleName(self.tr("Find in graph"))
        self.field.setClearButtonEnabled(True)
        self.field.setMinimumWidth(60)
        self.count.setMinimumWidth(COUNT_PX)
        self.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.message.setObjectName("search_message")
        self.message.hide()
        self.steps_button.setText(self.tr("Steps"))
        self.steps_button.setCheckable(True)
        self.steps_button.setToolTip(self.tr("Look for steps, on the timeline, instead of nodes"))
        self.help_button.setText("?")
        self.help_button.setToolTip(self.tr("Show examples"))
        self.help_button.setAccessibleName(self.tr("Examples of queries"))
        self.close_button.setToolTip(self.tr("Close (Esc)"))
        self.close_button.setAccessibleName(self.tr("Close"))
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.steps_button)
        row.addWidget(self.field, 1)
        row.addWidget(self.count)
        for button, name in zip(self._way_buttons, ("find_previous", "find_next"), strict=True):
            button.setDefaultAction(actions[name])
            row.addWidget(button)
        row.addWidget(self.help_button)
        row.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 5, 5, 5)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.message)

    def _connect(self) -> None:
        self.field.textChanged.connect(self._finder.look_for)
        self.field.textChanged.connect(self._show_kind)
        self.field.installEventFilter(self)
        self.steps_button.clicked.connect(self._turn)
        self.help_button.clicked.connect(self._open_help)
        self.help.chosen.connect(self._look_for_example)
        self.completer.passed_by.connect(self._go)
        self.close_button.clicked.connect(self.dismiss)
        self._finder.changed.connect(self._show_answer)
        self._canvas.resized.connect(self._place)

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
    def open_for_steps(self) -> None:
        """The same, for a question about steps; what was asked last of them can be typed over."""
        if not is_for_steps(self.field.text()):
            self.field.setText(turned_to_steps("", True))
        self.open()
        start = len(turned_to_steps("", True))
        self.field.setSelection(start, len(self.field.text()) - start)

    @Slot()
    def dismiss(self) -> None:
        self.completer.close()
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
        else:
            self._go(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        return True

    @Slot(bool)
    def _go(self, goes_back: bool) -> None:
        if goes_back:
            self._finder.previous()
        else:
            self._finder.next()

    @Slot()
    def _turn(self) -> None:
        """The same question about steps, or about nodes."""
        self.field.setText(turned_to_steps(self.field.text(), self.steps_button.isChecked()))
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _show_kind(self) -> None:
        self.steps_button.setChecked(is_for_steps(self.field.text()))

    @Slot()
    def _open_help(self) -> None:
        self.help.open_under(self.help_button)

    @Slot(str)
    def _look_for_example(self, query: str) -> None:
        self.field.setText(query)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _propose(self, text: str, cursor: int) -> Proposals:
        return proposals(text, cursor, self._finder.names(), self._session.series)

    @Slot()
    def _show_answer(self) -> None:
        finder = self._finder
        is_asked = bool(finder.text.strip()) and finder.text.strip().lower() != turned_to_steps("", True).strip()
        is_vain = is_asked and not finder.count and not finder.is_searching
        if finder.error:
            text = ""
        elif finder.is_searching and not finder.count:
            text = self.tr("Searching…")
        elif is_vain:
            text = self.tr("Nothing found")
        elif not finder.count:
            text = ""
        else:
            text = count_text(finder.count, finder.place, is_about_steps=finder.is_about_steps)
        self.count.setText(text)
        self.count.setProperty("vain", is_vain)
        self.count.style().polish(self.count)
        self._show_message(finder.error)

    def _show_message(self, sentence: str) -> None:
        """Under the row, as long as it is."""
        if sentence != self.message.text() or bool(sentence) == self.message.isHidden():
            self.message.setText(sentence)
            self.message.setVisible(bool(sentence))
            self._place()

    @Slot()
    def _place(self) -> None:
        """In the upper right corner; the legend makes room."""
        if self.isHidden():
            return
        room = self._canvas.width() - 2 * self._margin
        for button in (self.steps_button, self.help_button, *self._way_buttons):
            button.setVisible(room >= LEAST_PX)
        self.count.setMinimumWidth(COUNT_PX if room >= LEAST_PX else 0)
        self.message.hide()
        width = min(self.sizeHint().width() - self.field.sizeHint().width() + FIELD_PX, room)
        self.message.setVisible(bool(self.message.text()))
        height = self.heightForWidth(width) if self.message.text() else self.sizeHint().height()
        self.setGeometry(self._canvas.width() - self._margin - width, self._margin, width, height)
        self._canvas.set_covered_height(self.height() + self._margin)

    def dress(self, theme: Theme) -> None:
        self.close_button.setIcon(qtawesome.icon("mdi6.close", color=theme.text))
        self.help.dress(theme)
        self.completer.dress(theme)
        self.setStyleSheet(
            f"#search_bar {{ background: {theme.panel}; border: 1px solid {theme.border}; border-radius: 8px; }}"
            f"PlainLabel {{ color: {theme.muted_text}; }} PlainLabel[vain='true'] {{ color: {theme.error}; }}"
            f"#search_message {{ color: {theme.error}; padding: 0 4px 2px 4px; }}"
        )
