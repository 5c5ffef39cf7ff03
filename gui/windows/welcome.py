"""The first page: what one can do here, the demos as cards, the tapes opened last."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QColor, QIcon, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListView,
    QPushButton,
    QScrollArea,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gui.appearance import Appearance
from gui.demos import Demo
from gui.fonts import text_font
from gui.models.tapes import DETAIL_ROLE, PATH_ROLE, TapeListModel
from gui.plain_text import PlainLabel
from gui.theme import Theme

PAGE_WIDTH_PX = 860
ROW_HEIGHT_PX = 46


class WelcomePage(QScrollArea):
    demo_requested = Signal(str)
    tape_requested = Signal(str)

    def __init__(self, demos: Sequence[Demo], actions: Sequence[QAction], appearance: Appearance) -> None:
        super().__init__()
        self.cards = [DemoCard(demo) for demo in demos]
        self.recent = TapeListModel()
        self._list = _tape_list(self.recent)
        self._title, self._lead = PlainLabel("Tapescope"), PlainLabel()
        self._lead.setText(self.tr("Shows the graph PyTorch really built, at every training step"))
        self._headings = [PlainLabel(self.tr("Demos")), PlainLabel(self.tr("Recent tapes"))]
        self._nothing = PlainLabel(self.tr("Tapes you open or record appear here"))
        self._logo = PlainLabel()
        self._build(actions)
        self._dress(appearance.theme)
        appearance.theme_changed.connect(self._dress)
        for card in self.cards:
            card.requested.connect(self.demo_requested)
        self._list.activated.connect(self._on_tape_activated)
        self._list.clicked.connect(self._on_tape_activated)

    def set_recent(self, tapes: Sequence[Path]) -> None:
        self.recent.set_tapes(tapes)
        self._list.setFixedHeight(ROW_HEIGHT_PX * self.recent.rowCount() + 2)
        self._list.setVisible(self.recent.rowCount() > 0)
        self._nothing.setVisible(self.recent.rowCount() == 0)

    def _build(self, actions: Sequence[QAction]) -> None:
        page = QWidget()
        page.setObjectName("welcome")
        page.setMaximumWidth(PAGE_WIDTH_PX)
        column = QVBoxLayout(page)
        column.setContentsMargins(32, 44, 32, 32)
        column.setSpacing(0)
        column.addLayout(self._head())
        column.addSpacing(24)
        column.addLayout(_button_row(actions))
        column.addSpacing(32)
        column.addWidget(self._headings[0])
        column.addSpacing(10)
        column.addLayout(_card_row(self.cards))
        column.addSpacing(32)
        column.addWidget(self._headings[1])
        column.addSpacing(8)
        column.addWidget(self._list)
        column.addWidget(self._nothing)
        column.addStretch(1)
        outer = QWidget()
        row = QHBoxLayout(outer)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(page, 20)
        row.addStretch(1)
        self.setWidget(outer)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _head(self) -> QHBoxLayout:
        texts = QVBoxLayout()
        texts.setSpacing(3)
        texts.addWidget(self._title)
        texts.addWidget(self._lead)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self._logo)
        row.addLayout(texts, 1)
        return row

    @Slot(QModelIndex)
    def _on_tape_activated(self, index: QModelIndex) -> None:
        self.tape_requested.emit(index.data(PATH_ROLE))

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._title.setStyleSheet("font-size: 26px; font-weight: 600;")
        self._lead.setStyleSheet(f"color: {theme.muted_text}; font-size: {theme.sizes.text + 1}px;")
        self._nothing.setStyleSheet(f"color: {theme.muted_text};")
        for heading in self._headings:
            heading.setStyleSheet(f"font-size: {theme.sizes.text + 1}px; font-weight: 600;")
        icon: QIcon = self.window().windowIcon()
        self._logo.setPixmap(icon.pixmap(QSize(52, 52)))
        self._logo.setVisible(not icon.isNull())
        self.setStyleSheet(f"QScrollArea, QScrollArea > QWidget > QWidget {{ background: {theme.window}; }}")
        self._list.setStyleSheet(
            f"QListView {{ background: {theme.panel}; border: 1px solid {theme.border}; border-radius: 8px; }}"
        )
        for card in self.cards:
            card.dress(theme)


class DemoCard(QFrame):
    """A demo's title and text, with a button that starts it; the whole card can be clicked."""

    requested = Signal(str)

    def __init__(self, demo: Demo) -> None:
        super().__init__()
        self.demo = demo
        self.button = QPushButton(self.tr("Start"))
        self._title, self._text, self._file = PlainLabel(demo.title), PlainLabel(demo.text), PlainLabel(demo.path.name)
        self._text.setWordWrap(True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._title.setWordWrap(True)
        self.setObjectName("card")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.button.setAccessibleName(self.tr("Start {0}").format(demo.title))
        foot = QHBoxLayout()
        foot.addWidget(self._file, 1)
        foot.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 16, 14)
        column.setSpacing(8)
        column.addWidget(self._title)
        column.addWidget(self._text, 1)
        column.addLayout(foot)
        self.button.clicked.connect(self._request)

    def dress(self, theme: Theme) -> None:
        self._title.setStyleSheet(f"font-size: {theme.sizes.text + 2}px; font-weight: 600;")
        self._text.setStyleSheet(f"color: {theme.muted_text};")
        self._file.setStyleSheet(f"color: {theme.muted_text}; font-size: {theme.sizes.small_text}px;")
        self.setStyleSheet(
            f"#card {{ background: {theme.panel}; border: 1px solid {theme.border}; border-radius: 10px; }}"
            f"#card:hover {{ border-color: {theme.accent}; }}"
        )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self._request()

    @Slot()
    def _request(self) -> None:
        self.requested.emit(self.demo.name)


class _TapeDelegate(QStyledItemDelegate):
    """Two lines: the name, and under it the details."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(200, ROW_HEIGHT_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        self.initStyleOption(option, index)
        option.text = ""
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        room = QRect(option.rect).adjusted(14, 6, -14, -6)
        painter.setPen(QColor(option.palette.text().color()))
        painter.drawText(room, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, index.data())
        painter.setPen(QColor(option.palette.placeholderText().color()))
        painter.setFont(text_font(11))
        detail = painter.fontMetrics().elidedText(index.data(DETAIL_ROLE), Qt.TextElideMode.ElideMiddle, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, detail)
        painter.setFont(option.font)


def _tape_list(model: TapeListModel) -> QListView:
    view = QListView()
    view.setModel(model)
    view.setItemDelegate(_TapeDelegate(view))
    view.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setMouseTracking(True)
    view.setAccessibleName(view.tr("Recent tapes"))
    return view


def _button_row(actions: Sequence[QAction]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for number, action in enumerate(actions):
        button = QPushButton(action.text())
        button.setToolTip(action.toolTip())
        button.setDefault(number == 0)
        button.clicked.connect(action.trigger)
        row.addWidget(button)
    row.addStretch(1)
    return row


def _card_row(cards: Sequence[DemoCard]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(14)
    for card in cards:
        row.addWidget(card, 1)
    return row
