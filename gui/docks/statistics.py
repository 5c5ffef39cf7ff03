"""What was measured in the shown step, as tables: modules, parameters, operators, nodes."""

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QTableView,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gui import format as fmt
from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.findings import why_nothing
from gui.models.measured import MeasuredModel
from gui.models.tree import KEY_ROLE
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.tables import CONTENTS, LEVELS, Content, content_of
from gui.theme import Theme

ROW_HEIGHT_PX = 24
WIDEST_COLUMN_PX = 300
CELL_PADDING_PX = 11
FILTER_WIDTH_PX = 200
MEASURED_ROWS = 60
"""So many rows are looked at for the width of a column."""


class StatisticsDock(Dock):
    """Only the table in view is filled; the others follow when they come into view."""

    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self.tabs = QTabWidget()
        self.tables = {title: MeasuredTable(title) for title in CONTENTS}
        self.filter = QLineEdit()
        super().__init__("statistics", StatisticsDock.tr("Statistics"), self._build())
        self._dress(appearance.theme)
        appearance.theme_changed.connect(self._dress)
        session.drawing_changed.connect(self.refresh)
        session.run_state_changed.connect(self.refresh)
        session.selection_changed.connect(self._select)
        self.tabs.currentChanged.connect(self.refresh)
        self.filter.textChanged.connect(self._filter)
        for table in self.tables.values():
            table.key_chosen.connect(session.select)
            table.key_activated.connect(session.reveal)
            table.step_requested.connect(session.go_to)

    @property
    def table(self) -> "MeasuredTable":
        """The one in view."""
        return self.tables[list(CONTENTS)[self.tabs.currentIndex()]]

    @Slot()
    def refresh(self) -> None:
        if not self.isVisible():
            return
        drawing, title = self._session.drawing, list(CONTENTS)[self.tabs.currentIndex()]
        if drawing is None:
            why = why_nothing(self._session) or self.tr("No step is shown")
            self.table.show_content(Content(why=why), None)
            return
        timeline, shown = self._session.timeline, drawing.step.index
        measured = timeline.nearest_measured(shown, LEVELS[title])
        content = content_of(title, drawing, timeline, self._session.run_state == "ended")
        self.table.show_content(content, measured if measured != shown else None)
        self.table.select(self._session.selection)

    @Slot()
    def find(self) -> None:
        """Lets the user type what to look for."""
        self.show()
        self.raise_()
        self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.selectAll()

    def _build(self) -> QWidget:
        for title, table in self.tables.items():
            self.tabs.addTab(table, self.tabs.tr(title))
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.filter.setPlaceholderText(self.filter.tr("Filter"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(FILTER_WIDTH_PX)
        self.filter.setAccessibleName(self.filter.tr("Filter the rows"))
        corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 2, 6, 2)
        row.addWidget(self.filter)
        self.tabs.setCornerWidget(corner)
        return self.tabs

    @Slot(str)
    def _select(self, key: str) -> None:
        if self.isVisible():
            self.table.select(key)

    @Slot(str)
    def _filter(self, text: str) -> None:
        for table in self.tables.values():
            table.model.set_filter(text)
            table.show_counts()
        self._select(self._session.selection)

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self.tabs.setStyleSheet(f"QTabWidget, QStackedWidget {{ background: {theme.panel}; }}")
        for table in self.tables.values():
            table.dress(theme)


class MeasuredTable(QWidget):
    """One tab: a table with a line of totals under it, or the reason why it is empty."""

    key_chosen = Signal(str)
    key_activated = Signal(str)
    step_requested = Signal(int)

    def __init__(self, title: str) -> None:
        super().__init__()
        self.model = MeasuredModel(self)
        self.view = _table_view(self.model, title)
        self.summary, self.message, self.button = PlainLabel(), PlainLabel(), QPushButton()
        self._content = Content()
        self._step = -1
        self._titles: tuple[str, ...] = ()
        self._pages = QStackedWidget()
        self._build()
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.doubleClicked.connect(self._on_activated)
        self.view.activated.connect(self._on_activated)
        self.button.clicked.connect(self._on_step_requested)

    def show_content(self, content: Content, measured_step: int | None) -> None:
        """`measured_step` is another step, of which there are measurements, to offer where there are none here."""
        self._content = content
        self.model.set_rows(content.rows)
        self._pages.setCurrentIndex(0 if content.why else 1)
        self.message.setText(content.why)
        self.button.setVisible(measured_step is not None)
        if measured_step is not None:
            self._step = measured_step
            self.button.setText(self.tr("Go to step {0}, which was measured").format(fmt.count(measured_step)))
        titles = tuple(column.title for column in content.rows.columns)
        if titles and titles != self._titles:
            self._titles = titles
            self._fit_columns()
        self.show_counts()

    def show_counts(self) -> None:
        """The line of totals, of all rows; and how many of them the filter leaves."""
        shown, count = self.model.rowCount(), self.model.count
        hidden = self.tr("{0} of {1} shown").format(fmt.count(shown), fmt.count(count)) if shown < count else ""
        self.summary.setText("   ·   ".join(part for part in (hidden, self._content.summary) if part))

    def select(self, key: str) -> None:
        """Marks the row of a node or a module call, unless the current row is one of its rows."""
        current = self.view.currentIndex()
        if current.isValid() and current.data(KEY_ROLE) == key:
            return
        index = self.model.find(key)
        self.view.setCurrentIndex(index)
        if not index.isValid():
            self.view.clearSelection()

    def dress(self, theme: Theme) -> None:
        self.model.set_alarm_color(theme.error)
        self.message.setStyleSheet(f"color: {theme.muted_text};")
        self.summary.setStyleSheet(
            f"color: {theme.muted_text}; background: {theme.panel}; border-top: 1px solid {theme.border};"
            " padding: 4px 10px;"
        )
        self.setStyleSheet(f"QStackedWidget, #empty {{ background: {theme.panel}; }}")

    def _build(self) -> None:
        empty = QWidget()
        empty.setObjectName("empty")
        middle = QVBoxLayout(empty)
        middle.setSpacing(10)
        middle.addStretch(1)
        middle.addWidget(self.message)
        middle.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        middle.addStretch(1)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addWidget(self.summary)
        self._pages.addWidget(empty)
        self._pages.addWidget(filled)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)

    def _fit_columns(self) -> None:
        """To what the first rows need; columns of numbers to what other steps may."""
        self.view.resizeColumnsToContents()
        metrics = self.view.fontMetrics()
        for number, column in enumerate(self._content.rows.columns):
            needed = metrics.horizontalAdvance(column.widest) + 2 * CELL_PADDING_PX if column.widest else 0
            self.view.setColumnWidth(number, max(min(self.view.columnWidth(number), WIDEST_COLUMN_PX), needed))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        key = current.data(KEY_ROLE)
        if key and self.view.hasFocus():
            self.key_chosen.emit(key)

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        key = index.data(KEY_ROLE)
        if key:
            self.key_activated.emit(key)

    @Slot()
    def _on_step_requested(self) -> None:
        self.step_requested.emit(self._step)


def _table_view(model: MeasuredModel, title: str) -> QTableView:
    view = QTableView()
    view.setModel(model)
    view.setShowGrid(False)
    view.setAlternatingRowColors(True)
    view.setWordWrap(False)
    view.setTabKeyNavigation(False)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT_PX)
    view.setAccessibleName(title)
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setResizeContentsPrecision(MEASURED_ROWS)
    header.setSortIndicatorClearable(True)
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    view.setSortingEnabled(True)
    return view
