"""What lies over the picture: the outline under the mouse, the selection and its links, titles held in the view."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.canvas.box_painter import corner_radius
from gui.canvas.camera import Camera
from gui.canvas.geometry import Area, Ints
from gui.canvas.renderer import Renderer


def paint_links(painter: QPainter, renderer: Renderer, links: Ints, area: Area, camera: Camera) -> None:
    """Links drawn again in the colour of the selection."""
    if not len(links):
        return
    painter.save()
    painter.scale(camera.scale, camera.scale)
    painter.translate(-camera.x, -camera.y)
    renderer.paint_highlight(painter, links, renderer.theme.selection, area, camera.scale)
    painter.restore()


def paint_pinned_titles(painter: QPainter, renderer: Renderer, area: Area, camera: Camera) -> None:
    """The titles of frames that begin left of the view."""
    painter.save()
    painter.scale(camera.scale, camera.scale)
    painter.translate(-camera.x, -camera.y)
    renderer.paint_pinned_titles(painter, area, camera.scale)
    painter.restore()


def paint_box_outline(painter: QPainter, renderer: Renderer, row: int, camera: Camera, is_selected: bool) -> None:
    """An outline around a box, of the same width at every zoom."""
    layout = renderer.scene.layout
    rect = QRectF(*layout.boxes[row].tolist())
    radius = corner_radius(layout.view.boxes[row], rect, renderer.theme)
    _paint_outline(painter, renderer, rect, radius, camera, is_selected)


def paint_group_outline(painter: QPainter, renderer: Renderer, row: int, camera: Camera, is_selected: bool) -> None:
    """An outline around a frame."""
    rect = QRectF(*renderer.scene.layout.groups[row].tolist())
    _paint_outline(painter, renderer, rect, renderer.theme.sizes.group_radius, camera, is_selected)


def _paint_outline(
    painter: QPainter, renderer: Renderer, rect: QRectF, radius: float, camera: Camera, is_selected: bool
) -> None:
    theme = renderer.theme
    gap = 2.5 if is_selected else 1.0
    left, top = camera.to_view(rect.left(), rect.top())
    outline = QRectF(left, top, rect.width() * camera.scale, rect.height() * camera.scale)
    outline = outline.adjusted(-gap, -gap, gap, gap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    color = QColor(theme.selection if is_selected else theme.hover_outline)
    painter.setPen(QPen(color, 2.2 if is_selected else 1.5))
    painter.drawRoundedRect(outline, radius * camera.scale + gap, radius * camera.scale + gap)
