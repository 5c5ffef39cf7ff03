"""How far a long layout is, over the picture that stays until it is there; a click gives it up."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from gui.canvas.labels import Labels
from gui.fonts import text_font
from gui.theme import Theme

_PADDING, _BAR, _RADIUS = 14.0, 3.0, 8.0


class ProgressPill(QWidget):
    """Hidden while there is nothing to tell."""

    cancelled = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._share = 0.0
        self.set_theme(theme)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(self.tr("Cancel (Esc)"))
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return self.tr("Laying out… {0} %").format(round(100 * self._share))

    def set_share(self, share: float) -> None:
        """From 0 to 1; less than 0 where nothing is under way."""
        self._share = share
        self.setAccessibleName(self.text)
        self.setVisible(share >= 0)
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._labels = Labels(text_font(theme.sizes.small_text))
        self.setFixedSize(self.sizeHint())

    def sizeHint(self) -> QSize:
        longest = self.tr("Laying out… {0} %").format(100)
        return QSize(round(self._labels.width(longest) + self._hint_width() + 3 * _PADDING), 34)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, painter = self._theme, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.setBrush(QColor(theme.panel))
        painter.drawRoundedRect(frame, _RADIUS, _RADIUS)
        middle = self.height() / 2 - _BAR / 2 + self._labels.middle
        painter.setFont(self._labels.font)
        painter.setPen(QColor(theme.text))
        painter.drawText(round(_PADDING), round(middle), self.text)
        painter.setPen(QColor(theme.muted_text))
        painter.drawText(round(self.width() - _PADDING - self._hint_width()), round(middle), self._hint())
        painter.setPen(Qt.PenStyle.NoPen)
        track = QRectF(_PADDING, self.height() - 2 * _BAR - 2.0, self.width() - 2 * _PADDING, _BAR)
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(track, _BAR / 2, _BAR / 2)
        track.setWidth(track.width() * min(max(self._share, 0.0), 1.0))
        painter.setBrush(QColor(theme.accent))
        painter.drawRoundedRect(track, _BAR / 2, _BAR / 2)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.cancelled.emit()

    def _hint(self) -> str:
        return self.tr("Esc cancels")

    def _hint_width(self) -> float:
        return self._labels.width(self._hint())
