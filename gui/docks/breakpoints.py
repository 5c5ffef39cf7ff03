"""The list of the script's breakpoints: what each waits for, how often it was hit, at which step last."""

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui import format as fmt
from gui.actions import Actions
from gui.appearance import Appearance
from gui.breakpoints import BreakpointBook
from gui.docks.dock import Dock
from gui.models.breakpoints import CONDITION, LAST, STEP_ROLE, SUFFIX_ROLE, BreakpointModel
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.theme import Theme

ROW_HEIGHT_PX = 26
NUMBER_PX = 84
BUTTONS = ("add_breakpoint", "edit_breakpoint", "delete_breakpoints", "enable_breakpoints", "disable_breakpoints")
MENU = (
    *("edit_breakpoint", "toggle_breakpoint", "delete_breakpoints", ""),
    *("add_breakpoint", "enable_breakpoints", "disable_breakpoints", "clear_breakpoints"),
)


class BreakpointsDock(Dock):
    """Space enables or disables what is selected, Return and a double click edit it, Delete deletes it."""

    REFRESH_MSECS = 66

    edit_requested = Signal(int)  # of a breakpoint's id

    def __init__(self, session: Session, book: BreakpointBook, actions: Actions, appearance: Appearance) -> None:
        self._session, self._book, self._actions = session, book, actions
        self.model = BreakpointModel()
        self.table = _Table(self.model, appearance.theme)
        self.hint, self.empty = PlainLabel(), PlainLabel()
        self._pages = QStackedWidget()
        super().__init__("breakpoints", BreakpointsDock.tr("Breakpoints"), self._build())
        self.model.setParent(self)
        self._dress(appearance.theme)
        self._connect(appearance)
        self._show()

    def selected_ids(self) -> tuple[int, ...]:
        """The breakpoints the user has selected, in their order; where none is, the one in the row with the focus."""
        selected = self.table.selectionModel().selectedRows() or [self.table.currentIndex()]
        rows = sorted(index.row() for index in selected if index.isValid())
        found = (self.model.breakpoint_at(self.model.index(row, 0)) for row in rows)
        return tuple(each.id for each in found if each is not None)

    def select(self, number: int) -> None:
        row = self.model.row_of(number)
        if row >= 0:
            self.table.selectRow(row)

    @Slot()
    def refresh(self) -> None:
        if self.isVisible():
            self.model.set_happenings(self._session.happenings)

    def _build(self) -> QWidget:
        content = QWidget()
        bar = QHBoxLayout()
        bar.setContentsMargins(6, 3, 10, 3)
        bar.setSpacing(2)
        for name in BUTTONS:
            button = QToolButton()
            button.setDefaultAction(self._actions[name])
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            bar.addWidget(button)
        bar.addStretch(1)
        bar.addWidget(self.hint)
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setMargin(16)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.table)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self._pages, 1)
        return content

    def _connect(self, appearance: Appearance) -> None:
        appearance.theme_changed.connect(self._dress)
        self._book.changed.connect(self._show)
        self._session.happenings_changed.connect(self.refresh_soon)
        self._session.run_state_changed.connect(self._show)
        self.model.enabling_requested.connect(self._enable)
        self.table.doubleClicked.connect(self._on_activated)
        self.table.edit_requested.connect(self._edit_current)
        self.table.clicked.connect(self._on_clicked)
        self.table.customContextMenuRequested.connect(self._open_menu)

    @Slot()
    def _show(self) -> None:
        chosen = self.selected_ids()
        self.model.set_breakpoints(self._book.all)
        for number in chosen[:1]:
            self.select(number)
        self._pages.setCurrentIndex(1 if self._book.all else 0)
        keys = self._actions["add_breakpoint"].shortcut().toString()
        self.empty.setText(
            self.tr(
                "A breakpoint stops the training at the step that meets a condition, before the optimizer changes the "
                "weights: a structure, an op, a loss, an expression.\nAdd one with {0}, or from the menu of a box in "
                "the graph."
            ).format(keys)
        )
        self.hint.setText("" if self._book.is_live else self._hint())

    def _hint(self) -> str:
        if not self._book.script:
            return self.tr("Kept while this tape is open")
        return self.tr("For the next run of the script")

    @Slot(int, bool)
    def _enable(self, number: int, is_enabled: bool) -> None:
        self._book.set_enabled((number,), is_enabled)

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        if index.column() == CONDITION:
            self._edit_current()

    @Slot()
    def _edit_current(self) -> None:
        breakpoint = self.model.breakpoint_at(self.table.currentIndex())
        if breakpoint is not None:
            self.edit_requested.emit(breakpoint.id)

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        step = index.data(STEP_ROLE)
        if step is not None:
            self._session.go_to(step)

    @Slot(QPoint)
    def _open_menu(self, place: QPoint) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.table.viewport().mapToGlobal(place))

    def menu(self) -> QMenu:
        """What can be done with the selected breakpoints, and with all."""
        menu = QMenu(self)
        breakpoint = self.model.breakpoint_at(self.table.currentIndex())
        tally = self._session.happenings.tally(breakpoint) if breakpoint is not None else None
        if tally is not None:
            go = menu.addAction(self.tr("Go to step {0}").format(fmt.count(tally.last_step)))
            go.triggered.connect(lambda: self._session.go_to(tally.last_step))
            menu.addSeparator()
        for name in MENU:
            if name:
                menu.addAction(self._actions[name])
            else:
                menu.addSeparator()
        return menu

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self.widget().setStyleSheet(f"QWidget {{ background: {theme.panel}; }}")
        for label in (self.hint, self.empty):
            label.setStyleSheet(f"color: {theme.muted_text};")
        self.table.set_theme(theme)


class _Table(QTableView):
    edit_requested = Signal()
    delete_requested = Signal()

    def __init__(self, model: BreakpointModel, theme: Theme) -> None:
        super().__init__()
        self._delegate = _Delegate(theme, self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setAccessibleName(self.tr("Breakpoints"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(CONDITION, QHeaderView.ResizeMode.Stretch)
        for section in (CONDITION + 1, LAST):
            header.resizeSection(section, NUMBER_PX)

    def set_theme(self, theme: Theme) -> None:
        self._delegate.theme = theme
        self.viewport().update()

    def event(self, event: QEvent) -> bool:
        """Backspace is the window's elsewhere."""
        is_override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_override and event.key() == Qt.Key.Key_Backspace and not event.modifiers():
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if _is_edit(event):
            self.edit_requested.emit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_requested.emit()
        elif event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            first = self.currentIndex().siblingAtColumn(CONDITION)
            is_on = Qt.CheckState(first.data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked
            wanted = Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked
            self.model().setData(first, wanted, Qt.ItemDataRole.CheckStateRole)
        else:
            super().keyPressEvent(event)


def _is_edit(event: QKeyEvent) -> bool:
    return event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers()


class _Delegate(QStyledItemDelegate):
    """The text as usual, muted where it is disabled; after it, more quietly, what else is said of it."""

    def __init__(self, theme: Theme, parent: QTableView) -> None:
        super().__init__(parent)
        self.theme = theme

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.state &= ~QStyle.StateFlag.State_HasFocus
        is_off = index.siblingAtColumn(CONDITION).data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Unchecked
        color = self.theme.disabled_text if is_off else self.theme.text
        if index.data(STEP_ROLE) is not None:
            color = self.theme.link
        for role in (QPalette.ColorRole.Text, QPalette.ColorRole.HighlightedText):
            option.palette.setColor(role, QColor(color))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        suffix = index.data(SUFFIX_ROLE)
        if not suffix:
            return
        self.initStyleOption(option, index)
        style = option.widget.style()
        room = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, option, option.widget)
        used = option.fontMetrics.horizontalAdvance(str(index.data())) + 24
        rest = QRect(room).adjusted(used, 0, -6, 0)
        if rest.width() < 20:
            return
        painter.save()
        painter.setPen(QColor(self.theme.muted_text))
        text = option.fontMetrics.elidedText(str(suffix), Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()
