"""A whole file of source code, read-only, with its margin."""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from PySide6.QtCore import QEvent, QRect, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QKeyEvent,
    QResizeEvent,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QTextLayout,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

from gui.docks.source_margin import SourceMargin
from gui.fonts import code_font
from gui.source_lines import LineMark
from gui.syntax import Span, spans_of
from gui.theme import Theme

TURN_SECS = 0.006
PIECE_CHARS = 120_000
"""Qt takes 8 ms for as much text."""

_KEYS = {
    *(Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End),
    *(Qt.Key.Key_Return, Qt.Key.Key_Enter),
}
"""What moves the cursor, or asks for its line; elsewhere most of them change the step."""


class SourceView(QPlainTextEdit):
    """Text comes in pieces and colours after it, in turns of the event loop: a file may be long. Lines count from 1.

    The colours are not those of a QSyntaxHighlighter, which takes a whole document at once; and not made in a thread,
    which would keep the interpreter from the window.
    """

    line_activated = Signal(int)  # clicked in the margin, or Return on it

    def __init__(self, tip_of: Callable[[int], str], theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._wished_line = 0
        self._rest = ""
        self._spans: list[list[Span]] = []
        self._more_spans: Iterator[list[Span]] = iter(())
        self._next_colored = 0
        self._formats: dict[str, QTextCharFormat] = {}
        self._turn = QTimer(self)
        self._turn.setInterval(0)
        self.margin = SourceMargin(self._spread, tip_of, theme, self)
        self._build()
        self._turn.timeout.connect(self._advance)
        self.updateRequest.connect(self._on_update)
        self.cursorPositionChanged.connect(self._on_cursor)
        self.margin.line_clicked.connect(self.line_activated)
        self.dress(theme)

    def _build(self) -> None:
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setTabChangesFocus(True)
        self.setAccessibleName(self.tr("Source file"))

    @property
    def line(self) -> int:
        """The one that stands out, 0 for none."""
        return self.margin.line

    @property
    def cursor_line(self) -> int:
        return self.textCursor().blockNumber() + 1

    @property
    def is_settled(self) -> bool:
        """Whether all text and all colours are shown."""
        return not self._turn.isActive()

    def show_text(self, text: str) -> None:
        """Another file, without marks as yet."""
        self._spans, self._more_spans, self._next_colored = [], spans_of(text), 0
        self.margin.marks, self.margin.line = {}, 0
        cut = _end_of_piece(text)
        self.setPlainText(text[:cut])
        self._rest = text[cut:]
        self._show_line()
        self._fit_margin()
        self._turn.start()

    def set_marks(self, marks: Mapping[int, LineMark]) -> None:
        if marks != self.margin.marks:
            self.margin.marks = marks
            self._fit_margin()

    def set_line(self, line: int) -> None:
        """Lets a line stand out, and shows it in the middle as soon as it is there; 0 for none."""
        self.margin.line = line
        self._show_line()
        self.go_to(line)

    def go_to(self, line: int) -> None:
        """Shows a line in the middle, without letting it stand out."""
        self._wished_line = line
        self._grant_line()

    def dress(self, theme: Theme) -> None:
        self._theme = theme
        font = code_font(theme.sizes.code_text)
        self.setFont(font)
        self.margin.setFont(font)
        families = ", ".join(f"'{family}'" for family in font.families())
        self.setStyleSheet(
            f"QPlainTextEdit {{ background: {theme.panel}; color: {theme.text}; border: 0; border-radius: 0;"
            f" padding: 0; font-family: {families}; font-size: {theme.sizes.code_text}px; }}"
        )
        self.setTabStopDistance(4 * QFontMetrics(font).horizontalAdvance(" "))
        self._formats = {kind: _format(color, kind) for kind, color in theme.syntax.items()}
        self._next_colored = 0
        self._turn.start()
        self.margin.set_theme(theme)
        self._show_line()
        self._fit_margin()

    # -- turns

    @Slot()
    def _advance(self) -> None:
        if self._rest:
            self._add_piece()
        elif not self._color_some():
            self._turn.stop()

    def _add_piece(self) -> None:
        cut = _end_of_piece(self._rest)
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(self._rest[:cut])
        self._rest = self._rest[cut:]
        self._show_line()
        self._grant_line()

    def _color_some(self) -> bool:
        """Whether lines are left to colour."""
        ends = time.perf_counter() + TURN_SECS
        first = block = self.document().findBlockByNumber(self._next_colored)
        while block.isValid() and self._has_spans() and time.perf_counter() < ends:
            block.layout().setFormats([self._range(*span) for span in self._spans[self._next_colored]])
            self._next_colored += 1
            block = block.next()
        if first.isValid():
            end = block.position() if block.isValid() else self.document().characterCount()
            self.document().markContentsDirty(first.position(), end - first.position())
        return block.isValid() and self._has_spans()

    def _has_spans(self) -> bool:
        """Whether the next line's are known, or can be made."""
        if self._next_colored == len(self._spans):
            self._spans.extend(islice(self._more_spans, 1))
        return self._next_colored < len(self._spans)

    def _range(self, start: int, length: int, kind: str) -> QTextLayout.FormatRange:
        found = QTextLayout.FormatRange()
        found.start, found.length, found.format = start, length, self._formats[kind]
        return found

    # -- lines

    def _spread(self) -> list[tuple[int, QRect]]:
        """The lines in view and where they stand."""
        found = []
        block, offset = self.firstVisibleBlock(), self.contentOffset()
        while block.isValid():
            rect = self.blockBoundingGeometry(block).translated(offset).toRect()
            if rect.top() > self.viewport().height():
                break
            found.append((block.blockNumber() + 1, rect))
            block = block.next()
        return found

    def _block(self, line: int) -> QTextBlock | None:
        block = self.document().findBlockByNumber(line - 1) if line > 0 else None
        return block if block is not None and block.isValid() else None

    def _show_line(self) -> None:
        block = self._block(self.line)
        selections = []
        if block is not None:
            selection = QTextEdit.ExtraSelection()
            selection.cursor = QTextCursor(block)
            selection.format.setBackground(QColor(self._theme.accent_soft))
            selection.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
            selections.append(selection)
        self.setExtraSelections(selections)
        self.margin.update()

    def _grant_line(self) -> None:
        block = self._block(self._wished_line)
        if block is not None:
            self._wished_line = 0
            self.setTextCursor(QTextCursor(block))
            self.centerCursor()
            self.horizontalScrollBar().setValue(0)

    def _fit_margin(self) -> None:
        self.margin.fit(self.blockCount() + self._rest.count("\n"))
        self.setViewportMargins(self.margin.width_px, 0, 0, 0)
        self._place_margin()
        self.margin.update()

    def _place_margin(self) -> None:
        rect = self.contentsRect()
        self.margin.setGeometry(rect.left(), rect.top(), self.margin.width_px, self.viewport().height())

    @Slot()
    def _on_cursor(self) -> None:
        self.margin.cursor_line = self.cursor_line
        self.margin.update()

    @Slot(QRect, int)
    def _on_update(self, rect: QRect, dy: int) -> None:
        if dy:
            self.margin.scroll(0, dy)
        else:
            self.margin.update(0, rect.y(), self.margin.width(), rect.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_margin()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_own(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.line_activated.emit(self.cursor_line)
        else:
            super().keyPressEvent(event)


def _is_own(event: QKeyEvent) -> bool:
    others = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    return event.key() in _KEYS and not event.modifiers() & others


def _end_of_piece(text: str) -> int:
    """Where the first piece of a text ends: behind a line, or at the end."""
    if len(text) <= PIECE_CHARS:
        return len(text)
    return text.rfind("\n", 0, PIECE_CHARS) + 1 or PIECE_CHARS


def _format(color: str, kind: str) -> QTextCharFormat:
    found = QTextCharFormat()
    found.setForeground(QColor(color))
    found.setFontItalic(kind == "comment")
    return found
