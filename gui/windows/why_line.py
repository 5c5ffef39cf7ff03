"""The line under what differs: where in the model one is, and beside it in one sentence why the graph changed."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from gui import format as fmt
from gui.plain_text import plain_tip
from gui.session import Session
from gui.theme import Theme
from gui.windows.breadcrumbs import Breadcrumbs

SHARE, LEAST_SHOWN = 0.6, 0.6
"""Of the width, for the sentence, and more where `place` leaves it; where less than so much of it can be read, it is
not shown."""
FRAME_PX, SPACE_PX = 12, 14

MOST_TOLD = 10


class WhyLine(QWidget):
    """`place` says where one is; a click on the sentence asks for all of them."""

    requested = Signal()

    def __init__(self, session: Session, place: Breadcrumbs, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("why_line")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session, self._place = session, place
        self._sentence = self._more = ""
        self.why = QToolButton()
        self.why.setObjectName("why")
        self.why.setCursor(Qt.CursorShape.PointingHandCursor)
        self.why.setAccessibleName(self.tr("Why the graph changed"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 6, 0)
        row.setSpacing(8)
        row.addWidget(place, 1)
        row.addWidget(self.why)
        self.setFixedHeight(place.minimumHeight())
        self.setMinimumWidth(1)
        self.why.clicked.connect(self.requested)
        place.crumbs_changed.connect(self._fit)
        session.causes_changed.connect(self._show)
        session.drawing_changed.connect(self._show)
        self.dress(theme)
        self._show()

    def dress(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#why_line {{ background: {theme.panel}; border-bottom: 1px solid {theme.border}; }}"
            f"QToolButton#why {{ color: {theme.text}; border: none; border-radius: 4px; padding: 1px 5px; }}"
            f"QToolButton#why:hover, QToolButton#why:focus {{ background: {theme.hover}; }}"
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    @Slot()
    def _show(self) -> None:
        """Until it is known why, the sentence of the step before is none of this one."""
        causes = self._session.causes or ()
        self._sentence = causes[0].text if causes else ""
        self._more = f" · and {fmt.count(len(causes) - 1)} more" if len(causes) > 1 else ""
        self.why.setToolTip(plain_tip("\n".join(cause.text for cause in causes[:MOST_TOLD])))
        self._fit()

    @Slot()
    def _fit(self) -> None:
        metrics, left = self.why.fontMetrics(), self.width() - self._place.needed_px - SPACE_PX
        room, length = max(int(self.width() * SHARE), left) - FRAME_PX, metrics.horizontalAdvance(self._sentence)
        rest = room - metrics.horizontalAdvance(self._more)
        more, room = (self._more, rest) if length <= rest else ("", room)
        self.why.setText(metrics.elidedText(self._sentence, Qt.TextElideMode.ElideRight, room) + more)
        self.why.setVisible(bool(self._sentence) and room >= length * LEAST_SHOWN)
