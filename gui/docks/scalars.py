"""The scalars of the run over its steps, the strip of structures under them, both linked to the shown step."""

import pyqtgraph as pg
from PySide6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QRect, QRectF, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.plot import ScalarPlot
from gui.docks.structure_strip import Span, StructureStrip
from gui.models.scalars import VALUE_ROLE, ScalarModel
from gui.session import Session
from gui.theme import Theme

REDRAW_MSECS = 60
LIST_WIDTH_PX = 188
ROW_HEIGHT_PX = 26
LEAD_STRETCH = 3
"""How many times higher the first plot is than each further one."""


class ScalarsDock(Dock):
    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self._theme: Theme = appearance.theme
        self.model = ScalarModel()
        self.plots: dict[str, ScalarPlot] = {}
        self._follows_range = True
        self._list = _scalar_list(self.model, appearance.theme)
        self.view = pg.GraphicsLayoutWidget()
        self.strip = StructureStrip(appearance.theme)
        super().__init__("scalars", ScalarsDock.tr("Scalars"), self._build())
        self.model.setParent(self)
        self._redraw_timer = QTimer(self)
        self._redraw_timer.setSingleShot(True)
        self._redraw_timer.setInterval(REDRAW_MSECS)
        self._dress(appearance.theme)
        self._connect(appearance)

    def _build(self) -> QWidget:
        content, right = QWidget(), QWidget()
        self.view.ci.layout.setContentsMargins(0, 4, 0, 0)
        self.view.ci.layout.setSpacing(0)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setMinimumHeight(80)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 10, 6)
        column.setSpacing(2)
        column.addWidget(self.view, 1)
        column.addWidget(self.strip)
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._list)
        row.addWidget(right, 1)
        return content

    def _connect(self, appearance: Appearance) -> None:
        appearance.theme_changed.connect(self._dress)
        self.model.shown_changed.connect(self._rebuild)
        self._redraw_timer.timeout.connect(self._redraw)
        self.strip.step_picked.connect(self._session.go_to)
        self._session.tape_changed.connect(self._start_over)
        self._session.steps_appended.connect(self._grow)
        self._session.scalars_appended.connect(self._grow)
        self._session.step_changed.connect(self._move_cursor)

    @Slot()
    def _start_over(self) -> None:
        self._follows_range = True
        self.model.clear()
        self.strip.set_timeline(self._session.timeline)
        self._grow()

    @Slot()
    def _grow(self) -> None:
        self.model.add(self._session.series)
        if not self._redraw_timer.isActive():
            self._redraw_timer.start()

    @Slot(int)
    def _move_cursor(self, step: int) -> None:
        if self._session.follows_live and self._redraw_timer.isActive():
            return  # The redraw to come moves the cursor as well; two paintings would cost twice.
        self._place_cursor(step)

    def _place_cursor(self, step: int) -> None:
        for plot in self.plots.values():
            plot.set_cursor(step)
        self.strip.set_step(step)
        self._show_values()

    def _show_values(self) -> None:
        step = self._session.step
        values = {name: series.at(step) for name, series in self._session.series.items()}
        self.model.set_values({name: value for name, value in values.items() if value is not None})

    @Slot()
    def _rebuild(self) -> None:
        """Makes one plot for each shown scalar, below each other over the same steps."""
        self.view.ci.clear()
        self.plots = {}
        for row, name in enumerate(self.model.shown):
            plot = ScalarPlot(name, self._theme, self.model.color(name))
            plot.box.scrubbed.connect(self._scrub)
            plot.set_place(is_first=row == 0, is_last=row == len(self.model.shown) - 1)
            plot.set_cursor(self._session.step)
            self.view.ci.addItem(plot, row, 0)
            self.view.ci.layout.setRowStretchFactor(row, LEAD_STRETCH if row == 0 else 1)
            self.plots[name] = plot
        self._link()
        self._redraw()

    def _link(self) -> None:
        plots = list(self.plots.values())
        for plot in plots[1:]:
            plot.setXLink(plots[0])
        if plots:
            plots[0].box.sigXRangeChanged.connect(self._redraw_soon)
            plots[0].box.sigResized.connect(self._redraw_soon)
            plots[0].box.sigRangeChangedManually.connect(self._hold_range)

    @Slot()
    def _redraw_soon(self) -> None:
        if not self._redraw_timer.isActive():
            self._redraw_timer.start()

    @Slot(object)
    def _hold_range(self, _mask: object) -> None:
        """The user zoomed: keep to that, until it shows everything again."""
        first, last = self._range()
        self._follows_range = first <= 0 and last >= len(self._session.timeline) - 1

    @Slot()
    def _redraw(self) -> None:
        if not self.plots:
            return
        lead = next(iter(self.plots.values()))
        if self._follows_range:
            lead.box.setXRange(-0.5, max(len(self._session.timeline) - 0.5, 1.5), padding=0)
        first, last = self._range()
        for name, plot in self.plots.items():
            plot.show_series(self._session.series[name], first, last)
        self._place_cursor(self._session.step)
        self._align_strip(lead, first, last)

    def _align_strip(self, lead: ScalarPlot, first: float, last: float) -> None:
        area = lead.box.sceneBoundingRect()
        self.strip.set_timeline(self._session.timeline)
        self.strip.set_span(Span(first, last, area.left(), area.right()))

    def _range(self) -> tuple[float, float]:
        first, last = next(iter(self.plots.values())).box.viewRange()[0]
        return first, last

    @Slot(float)
    def _scrub(self, place: float) -> None:
        if len(self._session.timeline):
            self._session.go_to(round(place))

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self.view.setBackground(theme.plot_background)
        self.widget().setStyleSheet(f"QWidget {{ background: {theme.plot_background}; }}")
        self.model.set_colors(theme.plot_colors)
        self.strip.set_theme(theme)
        self._list.itemDelegate().theme = theme
        for name, plot in self.plots.items():
            plot.dress(theme, self.model.color(name))


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


def _scalar_list(model: ScalarModel, theme: Theme) -> QListView:
    view = QListView()
    view.setModel(model)
    view.setItemDelegate(_ScalarDelegate(theme, view))
    view.setFixedWidth(LIST_WIDTH_PX)
    view.setSelectionMode(QListView.SelectionMode.SingleSelection)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setUniformItemSizes(True)
    view.setAccessibleName(view.tr("Scalars to plot"))
    return view
