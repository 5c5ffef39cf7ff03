"""The list of a tape's scalars: which are plotted, in what colour, and their values at the shown step."""

from PySide6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.models.scalars import VALUE_ROLE, ScalarModel
from gui.theme import Theme

LIST_WIDTH_PX = 188
ROW_HEIGHT_PX = 26


class ScalarList(QListView):
    def __init__(self, model: ScalarModel, theme: Theme) -> None:
        super().__init__()
        self._delegate = _ScalarDelegate(theme, self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setFixedWidth(LIST_WIDTH_PX)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setAccessibleName(self.tr("Scalars to plot"))

    def set_theme(self, theme: Theme) -> None:
        self._delegate.theme = theme
        self.viewport().update()


class _ScalarDelegate(QStyledItemDelegate):
    """A swatch in the curve's colour, filled where it is plotted; the name; the value at the right edge."""

    def __init__(self, theme: Theme, parent: QListView) -> None:
        super().__init__(parent)
        self.theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(LIST_WIDTH_PX, ROW_HEIGHT_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        self.initStyleOption(option, index)
        option.text, option.icon = "", QIcon()
        option.features &= ~QStyleOptionViewItem.ViewItemFeature.HasCheckIndicator
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        is_shown = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
        color = QColor(index.data(Qt.ItemDataRole.DecorationRole))
        room = QRect(option.rect).adjusted(12, 0, -8, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(color if is_shown else QColor(self.theme.disabled_text))
        painter.setBrush(color if is_shown else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(room.left() + 0.5, room.center().y() - 4.5, 10, 10), 3, 3)
        self._paint_texts(painter, room.adjusted(20, 0, 0, 0), index, is_shown)
        painter.restore()

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: QModelIndex
    ) -> bool:
        """A click anywhere on the row, or the space bar, shows or hides its curve."""
        is_click = event.type() == QEvent.Type.MouseButtonRelease
        is_space = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Space
        if not is_click and not (is_space and event.type() == QEvent.Type.KeyPress):
            return False
        is_shown = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
        wanted = Qt.CheckState.Unchecked if is_shown else Qt.CheckState.Checked
        return model.setData(index, wanted, Qt.ItemDataRole.CheckStateRole)

    def _paint_texts(self, painter: QPainter, room: QRect, index: QModelIndex, is_shown: bool) -> None:
        middle = Qt.AlignmentFlag.AlignVCenter
        value, metrics = str(index.data(VALUE_ROLE)), painter.fontMetrics()
        value_width = metrics.horizontalAdvance(value) + 8
        name = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideMiddle, room.width() - value_width)
        painter.setPen(QColor(self.theme.text if is_shown else self.theme.muted_text))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | middle, name)
        painter.setPen(QColor(self.theme.muted_text))
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | middle, value)
