"""The console: what the script writes, its errors tinted, and what the app has to say of the run in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import groupby

from PySide6.QtCore import Slot
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QPlainTextEdit

from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.fonts import CODE_FAMILIES
from gui.terminal import Terminal
from gui.theme import Theme

MOST_LINES = 5000
LONGEST_LINE = 4000
_TONE_PROPERTY = QTextFormat.Property.UserProperty
"""What a line is, kept in its format, so that another theme can colour it anew."""


class Tone(IntEnum):
    """What a line is; says its colour."""

    OUTPUT = 0
    ERROR = 1
    NOTICE = 2

    def format_in(self, theme: Theme) -> QTextCharFormat:
        colors = {Tone.OUTPUT: theme.console_text, Tone.ERROR: theme.console_error, Tone.NOTICE: theme.console_notice}
        result = QTextCharFormat()
        result.setForeground(QColor(colors[self]))
        result.setProperty(_TONE_PROPERTY, int(self))
        return result


class ConsoleDock(Dock):
    def __init__(self, appearance: Appearance) -> None:
        self._text = _output_view()
        super().__init__("console", _output_view_title(), self._text)
        self._streams: dict[bool, _Stream] = {}
        self._dress(appearance.theme)
        self.clear()
        appearance.theme_changed.connect(self._dress)

    @property
    def text(self) -> str:
        return self._text.toPlainText()

    def clear(self) -> None:
        self._text.clear()
        self._streams = {is_error: _Stream(self._text, is_error) for is_error in (False, True)}

    def expect_output(self, is_known: bool) -> None:
        """Says, while the console is empty, why it is."""
        self._text.setPlaceholderText(
            self.tr("The script has written nothing")
            if is_known
            else self.tr("This run was started outside the app; its output is in its own terminal")
        )

    @Slot(bytes, bool)
    def write(self, data: bytes, is_error: bool) -> None:
        """Adds raw output of the script."""
        tone = Tone.ERROR if is_error else Tone.OUTPUT
        with _staying_at_end(self._text):
            self._streams[is_error].write(data, tone.format_in(self._theme), Tone.NOTICE.format_in(self._theme))

    @Slot(str)
    def note(self, message: str) -> None:
        """Adds a line of the app's own."""
        with _staying_at_end(self._text):
            _append_line(self._text, message, Tone.NOTICE.format_in(self._theme))

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        families = ", ".join(f"'{family}'" for family in CODE_FAMILIES)
        self._text.setStyleSheet(
            f"QPlainTextEdit {{ background: {theme.console_background}; border: 0; border-radius: 0; padding: 4px 6px;"
            f" font-family: {families}; font-size: {theme.sizes.code_text}px; }}"
        )
        _color_anew(self._text, theme)


class _Stream:
    """One of the script's two streams in the document: lines that are finished, and the one it is still writing."""

    def __init__(self, view: QPlainTextEdit, is_error: bool) -> None:
        self._view = view
        self._is_error = is_error
        self._terminal = Terminal()
        self._open_line: QTextCursor | None = None

    def write(self, data: bytes, style: QTextCharFormat, notice: QTextCharFormat) -> None:
        output = self._terminal.feed(data)
        lines = output.finished[-MOST_LINES:]
        if lines and self._open_line is not None:
            _replace_line(self._open_line, lines[0], style)
            self._open_line, lines = None, lines[1:]
        for is_ours, run in groupby(lines, _is_ours):
            text = "\n".join(line[:LONGEST_LINE] for line in run)
            _append_line(self._view, text, notice if is_ours and self._is_error else style)
        if not output.current:
            return
        if self._open_line is None:
            self._open_line = _append_line(self._view, output.current[:LONGEST_LINE], style)
        else:
            _replace_line(self._open_line, output.current, style)


def _is_ours(line: str) -> bool:
    """What the recording itself says, a line that a breakpoint wrote say, is no error of the script."""
    return line.startswith("tapescope: ")


def _output_view() -> QPlainTextEdit:
    view = QPlainTextEdit()
    view.setReadOnly(True)
    view.setMaximumBlockCount(MOST_LINES)
    view.setUndoRedoEnabled(False)
    view.setAccessibleName(view.tr("Console"))
    return view


def _output_view_title() -> str:
    return ConsoleDock.tr("Console")


@contextmanager
def _staying_at_end(view: QPlainTextEdit) -> Iterator[None]:
    """Shows what is added, but to a user who has scrolled up to read."""
    bar = view.verticalScrollBar()
    is_at_end = bar.value() >= bar.maximum() - 2
    yield
    if is_at_end:
        bar.setValue(bar.maximum())


def _append_line(view: QPlainTextEdit, text: str, style: QTextCharFormat) -> QTextCursor:
    """Adds a line (or several) at the end; a cursor that stays at the start of the last."""
    cursor = QTextCursor(view.document())
    cursor.movePosition(QTextCursor.MoveOperation.End)
    if not view.document().isEmpty():
        cursor.insertBlock()
    cursor.insertText(text, style)
    # At the end of its line it would move along with what others append there.
    cursor.movePosition(QTextCursor.MoveOperation.StartOfBlock)
    return cursor


def _replace_line(cursor: QTextCursor, text: str, style: QTextCharFormat) -> None:
    """Writes anew the line a cursor stands at the start of, and leaves it there."""
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    cursor.insertText(text[:LONGEST_LINE], style)
    cursor.movePosition(QTextCursor.MoveOperation.StartOfBlock)


def _color_anew(view: QPlainTextEdit, theme: Theme) -> None:
    """Gives every line its colour in another theme; a line is of one tone."""
    styles = {int(tone): tone.format_in(theme) for tone in Tone}
    cursor = QTextCursor(view.document())
    cursor.beginEditBlock()
    block = view.document().begin()
    while block.isValid():
        cursor.setPosition(block.position())
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
        if cursor.hasSelection():
            cursor.setCharFormat(styles[cursor.charFormat().intProperty(_TONE_PROPERTY)])
        block = block.next()
    cursor.endEditBlock()
