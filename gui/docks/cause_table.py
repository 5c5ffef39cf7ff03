"""Why two steps differ: whole sentences that wrap where there is no room, each with its source line."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from gui.models.causes import CAUSE_ROLE, CauseModel
from gui.theme import Theme

MOST_PX = 260
"""More causes than fit in this height scroll."""
LINE_SHARE = 0.5
"""Of the width, at most for the source lines."""
PADDING_PX, MARGIN_PX = (8, 4), 3
"""Around a text, across and down; and what Qt leaves beside it within that."""


class CauseTable(QTableView):
    """As high as its rows, up to a limit; not there without any."""

    cause_activated = Signal(object)  # Cause

    def __init__(self, model: CauseModel, theme: Theme) -> None:
        super().__init__()
        self._delegate = _Delegate(theme, self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName(self.tr("Why the graph changed"))
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setStyleSheet(f"QTableView::item {{ padding: {PADDING_PX[1]}px {PADDING_PX[0]}px; }}")
        self.verticalHeader().hide()
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setSectionsClickable(False)
        self.horizontalHeader().setMinimumSectionSize(1)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self._fitting = QTimer(self)
        self._fitting.setSingleShot(True)
        self._fitting.timeout.connect(self._fit)
        model.modelReset.connect(self._fit)
        self.clicked.connect(self._choose)
        self.activated.connect(self._choose)
        self.entered.connect(self._on_entered)
        self._fit()

    def set_theme(self, theme: Theme) -> None:
        self._delegate.theme = theme
        self._fitting.start(0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fitting.start(0)

    @Slot()
    def _fit(self) -> None:
        rows, width = self.model().rowCount(), self.viewport().width()
        self.setColumnHidden(1, not any(self.model().index(row, 1).data() for row in range(rows)))
        lines = 0 if self.isColumnHidden(1) else min(self.sizeHintForColumn(1), int(width * LINE_SHARE))
        self.setColumnWidth(1, lines)
        self.setColumnWidth(0, width - lines)
        self.resizeRowsToContents()
        height = sum(self.rowHeight(row) for row in range(rows))
        self.setFixedHeight(min(height, MOST_PX) + self.horizontalHeader().height() + 2 * self.frameWidth())
        self.setVisible(rows > 0)

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        cause = index.data(CAUSE_ROLE)
        if cause is not None:
            self.cause_activated.emit(cause)

    @Slot(QModelIndex)
    def _on_entered(self, index: QModelIndex) -> None:
        leads = index.data(CAUSE_ROLE) is not None
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if leads else Qt.CursorShape.ArrowCursor)


class _Delegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QTableView) -> None:
        super().__init__(parent)
        self.theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """That of the text as it wraps in the column's width; Qt would not count the padding."""
        text, table = index.data() or "", self.parent()
        assert isinstance(table, QTableView)
        across, down = 2 * (PADDING_PX[0] + MARGIN_PX), 2 * PADDING_PX[1]
        if index.column():
            return QSize(
                table.fontMetrics().horizontalAdvance(text) + across + MARGIN_PX, table.fontMetrics().height() + down
            )
        room = QRect(0, 0, max(table.columnWidth(0) - across, 1), MOST_PX)
        wrapped = table.fontMetrics().boundingRect(room, Qt.TextFlag.TextWordWrap, text)
        return QSize(wrapped.width() + across, wrapped.height() + down)

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.displayAlignment = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
        is_sentence = index.column() == 0
        leads = index.data(CAUSE_ROLE) is not None
        color = self.theme.muted_text if not is_sentence else self.theme.link if leads else self.theme.text
        for role in (QPalette.ColorRole.Text, QPalette.ColorRole.HighlightedText):
            option.palette.setColor(role, QColor(color))
