"""Where in the user's code the selected node was made: file, line, function, and the code around it."""

from collections.abc import Mapping
from html import escape
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QColor, QTextCursor, QTextFormat
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.fonts import CODE_FAMILIES
from gui.plain_text import PlainLabel, plain_tip
from gui.sources import Excerpt, read_excerpt
from gui.theme import Theme
from tracer.model.source_paths import short_path

MARK = "▸"


class SourcePanel(QWidget):
    """Hidden while there is no source line. The buttons are the window's actions."""

    def __init__(self, actions: tuple[QAction, ...], theme: Theme) -> None:
        super().__init__()
        self.place, self.code, self._hint = PlainLabel(), CodeView(), PlainLabel()
        self._theme = theme
        self._shown: tuple[str, int, str, str] | None = None
        self._excerpt: Excerpt | None = None
        self._line = 0
        self._build(actions)
        self.hide()

    def show_source(self, source: Mapping[str, Any] | None, folder: str, started_ns: int) -> None:
        """`folder` is where the run was started, `started_ns` when: a file written since may say something else."""
        self.setVisible(source is not None)
        if source is None:
            return
        file, line, function = str(source["file"]), int(source["line"]), str(source["function"])
        shown = (file, line, function, folder)
        if shown == self._shown:
            return
        self._shown, self._line = shown, line
        where = f"{short_path(file, folder)}:{line}"
        self.place.setText(_breakable(self.tr("{0} in {1}").format(where, function) if function else where))
        self.place.setToolTip(plain_tip(f"{file}:{line}"))
        self._excerpt = read_excerpt(file, line)
        self._show_code()
        self._show_hint(started_ns)

    def dress(self, theme: Theme) -> None:
        self._theme = theme
        self.place.setStyleSheet("font-weight: 600;")
        self._hint.setStyleSheet(f"color: {theme.muted_text}; font-size: {theme.sizes.small_text}px;")
        families = ", ".join(f"'{family}'" for family in CODE_FAMILIES)
        self.code.setStyleSheet(
            f"QPlainTextEdit {{ background: {theme.console_background}; color: {theme.text};"
            f" font-family: {families}; font-size: {theme.sizes.code_text - 1}px;"
            f" border: 1px solid {theme.border}; border-radius: {theme.sizes.radius}px; padding: 1px 2px; }}"
            f"QPlainTextEdit:focus {{ border-color: {theme.accent}; }}"
        )
        self._show_code()

    def _build(self, actions: tuple[QAction, ...]) -> None:
        self.place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.place.setWordWrap(True)
        self.place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._hint.setWordWrap(True)
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self.place, 1)
        for action in actions:
            button = QToolButton()
            button.setDefaultAction(action)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            head.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 2, 10, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.code)
        column.addWidget(self._hint)

    def _show_code(self) -> None:
        excerpt = self._excerpt
        self.code.setVisible(excerpt is not None)
        if excerpt is None:
            return
        width = len(str(excerpt.first + len(excerpt.lines) - 1))
        numbered = (
            f"{MARK if number == self._line else ' '}{number:>{width}}  {text}"
            for number, text in enumerate(excerpt.lines, excerpt.first)
        )
        self.code.setPlainText("\n".join(numbered))
        self._mark(self._line - excerpt.first)
        self.code.fit()
        # A tooltip that looks like HTML would be shown as such.
        self.code.setToolTip(f"<pre>{escape(excerpt.lines[self._line - excerpt.first].strip())}</pre>")

    def _mark(self, row: int) -> None:
        mark = QTextEdit.ExtraSelection()
        mark.cursor = QTextCursor(self.code.document().findBlockByNumber(row))
        mark.format.setBackground(QColor(self._theme.accent_soft))
        mark.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        self.code.setExtraSelections([mark])

    def _show_hint(self, started_ns: int) -> None:
        if self._excerpt is None:
            self._hint.setText(self.tr("The file cannot be read on this machine"))
        else:
            self._hint.setText(self.tr("The file has changed since the run started"))
        is_newer = self._excerpt is not None and 0 < started_ns < self._excerpt.mtime_ns
        self._hint.setVisible(self._excerpt is None or is_newer)


class CodeView(QPlainTextEdit):
    """Read-only, as high as its text; what is wider than the view can be scrolled to."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabChangesFocus(True)
        self.setAccessibleName(self.tr("Source code"))
        self.horizontalScrollBar().rangeChanged.connect(self.fit)

    @Slot()
    def fit(self) -> None:
        bar = self.horizontalScrollBar()
        bar_px = bar.sizeHint().height() if bar.maximum() else 0
        height = self.fontMetrics().lineSpacing() * self.blockCount() + bar_px
        margins = self.document().documentMargin() * 2 + self.frameWidth() * 2
        self.setFixedHeight(round(height + margins + 6))


def _breakable(text: str) -> str:
    """Lets a long path wrap after its separators (zero-width spaces)."""
    for separator in "./_":
        text = text.replace(separator, f"{separator}\u200b")
    return text
