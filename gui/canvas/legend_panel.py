"""The legend over a corner of the canvas. A click on its title folds it, as it covers part of the graph."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gui.canvas.legend import TITLE_HEIGHT, Legend
from gui.canvas.scene import Scene
from gui.theme import Theme

_EDGE = 0.5  # half of the border's width lies outside of it


class LegendPanel(QWidget):
    """As large as its legend, and gone where there is nothing to explain. Its host says where it is, and the room."""

    folded_changed = Signal(bool)

    def __init__(self, theme: Theme, host: QWidget) -> None:
        super().__init__(host)
        self._theme = theme
        self._scene: Scene | None = None
        self._note = ""
        self._is_folded = False
        self._is_tucked, self._may_tuck = False, True
        self._is_wanted = True
        self._room_px = 1 << 16
        self._legend: Legend | None = None
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Legend"))
        self.hide()

    @property
    def is_folded(self) -> bool:
        return self._is_folded

    def set_folded(self, is_folded: bool) -> None:
        """Show the title alone, or all of it."""
        if is_folded != self._is_folded:
            self._is_folded = is_folded
            self._refresh()
            self.folded_changed.emit(is_folded)

    def tuck(self, is_tucked: bool) -> None:
        """Show the title alone for as long as nobody asks for more: a click on it, or other colours, bring it all."""
        is_tucked = is_tucked and self._may_tuck
        if is_tucked != self._is_tucked:
            self._is_tucked = is_tucked
            self._refresh()

    def set_scene(self, scene: Scene | None, theme: Theme) -> None:
        before, self._scene, self._theme = self._scene, scene, theme
        if before is not None and scene is not None and before.coloration.title != scene.coloration.title:
            self._is_tucked = False
        self._refresh()

    def set_note(self, note: str) -> None:
        """What is said of the step: why it has no colours, or of which other step they are."""
        if note != self._note:
            self._note = note
            self._refresh()

    def set_wanted(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._refresh()

    def fit_into(self, room_px: int) -> None:
        """Be no higher than that: where there is no room for all of it the title stands alone."""
        if room_px != self._room_px:
            self._room_px = room_px
            self._refresh()

    def full_size(self) -> tuple[float, float]:
        """Width and height with everything that it has to say, or of the title alone where the user folded it."""
        if self._scene is None or not self._is_wanted:
            return 0.0, 0.0
        return Legend(self._scene, self._theme, self._is_folded, self._note).size()

    def _refresh(self) -> None:
        self._legend = self._fitting()
        self.setVisible(self._legend is not None)
        if self._legend is not None:
            width, height = self._legend.size()
            right = self.x() + self.width()
            self.resize(QSize(round(width + 2 * _EDGE), round(height + 2 * _EDGE)))
            self.move(right - self.width(), self.y())
            self.update()

    def _fitting(self) -> Legend | None:
        if self._scene is None or not self._is_wanted:
            return None
        for is_folded in (self._is_folded or self._is_tucked, True):
            legend = Legend(self._scene, self._theme, is_folded, self._note)
            width, height = legend.size()
            if width and height <= self._room_px:
                return legend
        return None

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._legend is not None:
            painter = QPainter(self)
            self._legend.paint(painter, _EDGE, _EDGE)
            painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        is_on_title = event.position().y() <= TITLE_HEIGHT
        self.setCursor(Qt.CursorShape.PointingHandCursor if is_on_title else Qt.CursorShape.ArrowCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Taken even where it does nothing, or it would reach the graph underneath."""
        if event.button() == Qt.MouseButton.LeftButton and event.position().y() <= TITLE_HEIGHT:
            self._may_tuck = False
            if self._is_tucked:
                self.tuck(False)
                self.set_folded(False)
            else:
                self.set_folded(not self._is_folded)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
