"""The source dock: the file whose line made the selected node, with what every line made in the shown step."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui import format as fmt
from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.source_view import SourceView
from gui.findings import source_of
from gui.marks import FOUND, Marks
from gui.plain_text import PlainLabel, plain_tip
from gui.session import Session
from gui.source_lines import Lines, files_by_count, lines_of, mark_text, marks_in
from gui.source_reader import Content, SourceReader
from gui.sources import started_ns_of
from gui.theme import Theme, mix
from tracer.model.source_paths import short_path

LEAST_FILES_PX = 140


class SourceDock(Dock):
    """Follows the selection; what has no line leaves the file that is there, at first the one that made most nodes."""

    REFRESH_MSECS = 78

    editor_requested = Signal(str, int)  # file and line

    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self.files = QComboBox()
        self.editor = QToolButton()
        self.hint = PlainLabel()
        self.view = SourceView(self._tip, appearance.theme)
        self.why = PlainLabel()
        self._pages = QStackedWidget()
        super().__init__("source", SourceDock.tr("Source"), self._build())
        self._reader = SourceReader(self)
        self._file = ""
        self._read_file = self._text = ""
        self._source: tuple[str, int, str] | None = None
        self._followed: tuple[str, str] | None = None
        self._connect(appearance)
        self._dress(appearance.theme)
        self._show_nothing()

    @property
    def file(self) -> str:
        """The file that is shown, or is about to be; "" for none."""
        return self._file

    def _connect(self, appearance: Appearance) -> None:
        session = self._session
        appearance.theme_changed.connect(self._dress)
        session.selection_changed.connect(self.refresh)
        session.drawing_changed.connect(self.refresh_soon)
        session.tape_changed.connect(self._start_over)
        self._reader.read.connect(self._on_read)
        self.view.line_activated.connect(self.show_nodes)
        self.files.activated.connect(self._choose_file)
        self.editor.clicked.connect(self._request_editor)

    def _build(self) -> QWidget:
        self.files.setAccessibleName(self.files.tr("Source file of the step"))
        self.files.setToolTip(self.files.tr("Files with lines that made nodes of this step"))
        self.files.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.files.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.files.setMinimumWidth(LEAST_FILES_PX)
        self.editor.setText(self.editor.tr("Open in editor"))
        self.editor.setToolTip(self.editor.tr("Open this file in your editor, at the line of the cursor"))
        head = QHBoxLayout()
        head.setContentsMargins(8, 4, 8, 4)
        head.addWidget(self.files)
        head.addStretch(1)
        head.addWidget(self.editor)
        for label in (self.hint, self.why):
            label.setWordWrap(True)
        self.hint.setObjectName("source_hint")
        self.hint.setContentsMargins(10, 3, 10, 3)
        self.why.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.why.setContentsMargins(20, 10, 20, 10)
        self.why.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._pages.addWidget(self.view)
        self._pages.addWidget(self.why)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.hint)
        column.addWidget(self._pages, 1)
        return content

    @Slot()
    def refresh(self) -> None:
        if not self.isVisible():
            return
        lines = self._lines()
        self._choose(lines)
        self._show_files(lines)
        self._show_place()

    def showEvent(self, event: QShowEvent) -> None:
        """The file may have changed while nobody looked."""
        if self._file:
            self._reader.ask(self._file)
        super().showEvent(event)

    @Slot()
    def look(self) -> None:
        """Comes into view, with the keyboard on the text."""
        self.show()
        self.raise_()
        self.view.setFocus()

    @Slot(int)
    def show_nodes(self, line: int) -> None:
        """Highlights the nodes that a line made in the shown step, and goes to the first of them."""
        keys = self._lines().get(self._file, {}).get(line, ())
        if keys:
            self._session.mark(Marks(frozenset(keys), FOUND, count=len(keys)))
            self._session.reveal(keys[0])

    def _lines(self) -> Mapping[str, Lines]:
        drawing = self._session.drawing
        return {} if drawing is None else lines_of(drawing.graph)

    def _choose(self, lines: Mapping[str, Lines]) -> None:
        """Follows another selection to its file; else what the user chose stays."""
        source = source_of(self._session)
        wanted = None if source is None else (self._session.selection, str(source["file"]))
        if wanted is not None and wanted != self._followed:
            self._open(wanted[1])
        elif not self._file and lines:
            self._open(files_by_count(lines)[0][0])
        elif not self._file:
            self._show_nothing()
        self._followed = wanted

    def _open(self, file: str) -> None:
        if file != self._file:
            self._file = file
            self._reader.ask(file)

    def _show_nothing(self) -> None:
        self._pages.setCurrentWidget(self.why)
        self.hint.hide()
        self.editor.setEnabled(False)
        has_graph = self._session.drawing is not None
        self.why.setText(self.tr("No source line of this step is known") if has_graph else "")

    @Slot(object)
    def _on_read(self, content: Content) -> None:
        is_same = (content.file, content.text) == (self._read_file, self._text)
        self._read_file, self._text = content.file, content.text
        self.why.setText(content.why)
        self._pages.setCurrentWidget(self.why if content.why else self.view)
        self.editor.setEnabled(not content.why)
        started_ns = started_ns_of(self._session.meta)
        self.hint.setText(self.tr("This file has changed since the run started: its lines may no longer be the same"))
        self.hint.setVisible(not content.why and 0 < started_ns < content.mtime_ns)
        if not is_same:
            self._show_text()

    def _show_text(self) -> None:
        """From its line on, or from the first that made something."""
        self.view.show_text(self._text)
        self._source = None
        self._show_place()
        if not self.view.line:
            self.view.go_to(min(self.view.margin.marks, default=0))

    def _show_files(self, lines: Mapping[str, Lines]) -> None:
        files = files_by_count(lines)
        if self._file and self._file not in lines:
            files.insert(0, (self._file, 0))
        folder = str(self._session.meta.get("folder", ""))
        shown = [(file, f"{short_path(file, folder)}   ({fmt.plural(count, 'node')})") for file, count in files]
        if shown != [(self.files.itemData(at), self.files.itemText(at)) for at in range(self.files.count())]:
            self.files.clear()
            for file, text in shown:
                self.files.addItem(text, file)
                self.files.setItemData(self.files.count() - 1, plain_tip(file), Qt.ItemDataRole.ToolTipRole)
        self.files.setEnabled(self.files.count() > 0)
        self.files.setCurrentIndex(self.files.findData(self._file))

    def _show_place(self) -> None:
        """The marks and the line, once the text is there that they belong to."""
        if self._read_file == self._file:
            self._show_marks()
            self._show_line()

    def _show_marks(self) -> None:
        drawing = self._session.drawing
        before = None if drawing is None else drawing.compared_lines
        self.view.set_marks(marks_in(self._file, self._lines(), before))

    def _show_line(self) -> None:
        """Goes to the line only where another one is asked for: the user may have looked elsewhere since."""
        source = source_of(self._session)
        is_here = source is not None and source["file"] == self._file
        wanted = (self._file, int(source["line"]), self._session.selection) if source is not None and is_here else None
        if wanted is None:
            self.view.set_line(0)
        elif wanted != self._source:
            self.view.set_line(wanted[1])
        self._source = wanted

    def _tip(self, line: int) -> str:
        drawing, mark = self._session.drawing, self.view.margin.marks.get(line)
        return "" if drawing is None or mark is None else mark_text(mark, drawing.graph)

    @Slot(int)
    def _choose_file(self, index: int) -> None:
        file = self.files.itemData(index)
        if file != self._file:
            self._open(file)

    @Slot()
    def _request_editor(self) -> None:
        self.editor_requested.emit(self._file, self.view.cursor_line)

    @Slot()
    def _start_over(self) -> None:
        self._reader.finish()
        self._file = self._read_file = self._text = ""
        self._source = None
        self._followed = None
        self.files.clear()
        self.view.show_text("")
        self._show_nothing()

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self.widget().setStyleSheet(f"QWidget {{ background: {theme.panel}; }}")
        self.hint.setStyleSheet(
            f"#source_hint {{ background: {mix(theme.warning, theme.panel, 0.14)}; color: {theme.warning}; }}"
        )
        self.editor.setStyleSheet(
            f"QToolButton {{ border: 1px solid {theme.border}; padding: 2px 8px; }}"
            f"QToolButton:focus {{ border-color: {theme.accent}; }}"
            f"QToolButton:disabled {{ color: {theme.disabled_text}; }}"
        )
        self.why.setStyleSheet(f"color: {theme.muted_text};")
        self.view.dress(theme)
