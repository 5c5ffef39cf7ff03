"""Proposes names while a query is typed."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QStringListModel, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCompleter, QLineEdit

from gui.query_texts import Proposals
from gui.theme import Theme

MOST_ROWS = 9
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class QueryCompleter(QObject):
    """A list under a field. Down chooses, Enter or Tab takes what is chosen, Escape closes the list alone."""

    passed_by = Signal(bool)  # Enter with nothing chosen: it means what it means without the list; whether with Shift

    def __init__(self, field: QLineEdit, propose: Callable[[str, int], Proposals]) -> None:
        super().__init__(field)
        self._field = field
        self._propose = propose
        self._start = 0
        self.model = QStringListModel(self)
        self.completer = QCompleter(self.model, self)
        self.completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        self.completer.setMaxVisibleItems(MOST_ROWS)
        self.completer.setWidget(field)
        self.completer.popup().installEventFilter(self)
        self.completer.activated.connect(self._take)
        field.textEdited.connect(self._update)

    @property
    def is_open(self) -> bool:
        return self.completer.popup().isVisible()

    def close(self) -> None:
        self.completer.popup().hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return super().eventFilter(watched, event)
        popup = self.completer.popup()
        # With the focus comes a current row; chosen is only what is seen to be.
        is_chosen = popup.selectionModel().hasSelection()
        if event.key() == Qt.Key.Key_Down and not is_chosen:
            popup.setCurrentIndex(self.completer.completionModel().index(0, 0))
            return True
        if event.key() == Qt.Key.Key_Tab:
            self._take(popup.currentIndex().data() if is_chosen else self.model.stringList()[0])
            popup.hide()
            return True
        if event.key() in _ENTER and not is_chosen:
            popup.hide()
            self.passed_by.emit(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
            return True
        if event.key() == Qt.Key.Key_Escape:
            popup.hide()
            return True
        return super().eventFilter(watched, event)

    def dress(self, theme: Theme) -> None:
        self.completer.popup().setStyleSheet(
            f"QListView {{ background: {theme.panel}; border: 1px solid {theme.border}; outline: 0; }}"
            f"QListView::item {{ color: {theme.text}; padding: 3px 6px; border-radius: 4px; }}"
            f"QListView::item:selected {{ background: {theme.accent_soft}; }}"
        )

    @Slot()
    def _update(self) -> None:
        found = self._propose(self._field.text(), self._field.cursorPosition())
        self._start = found.start
        self.model.setStringList(list(found.words))
        if not found.words:
            self.close()
            return
        place = self._field.rect()
        place.setWidth(max(place.width(), 200))
        self.completer.complete(place)
        self.completer.popup().clearSelection()

    @Slot(str)
    def _take(self, word: str) -> None:
        """Puts a proposal in place of the word that was begun."""
        text, cursor = self._field.text(), self._field.cursorPosition()
        rest = text[cursor:]
        self._field.setText(text[: self._start] + word + rest)
        self._field.setCursorPosition(self._start + len(word))
