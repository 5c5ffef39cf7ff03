"""What lies over the picture: the outline under the mouse, the selection and its links, titles held in the view."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.canvas.badge import paint_badge
from gui.canvas.box_painter import corner_radius
from gui.canvas.camera import Camera
from gui.canvas.geometry import Area, Ints
from gui.canvas.renderer import Renderer
from gui.canvas.rows import rect_of
from gui.coloring import ALARM

_FAILURE_GAP = 5.0  # outside of the outline of what is selected
_GLOW = 2.2
_GLOW_ALPHA = 70


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


def paint_failure(painter: QPainter, renderer: Renderer, key: str, camera: Camera) -> None:
    """A glowing outline and a badge for the box or frame where an exception was raised; from afar the badge remains."""
    area = rect_of(renderer.scene.layout, key)
    if area is None:
        return
    theme, color = renderer.theme, QColor(renderer.theme.error)
    left, top = camera.to_view(area[0], area[1])
    outline = QRectF(left, top, area[2] * camera.scale, area[3] * camera.scale)
    outline = outline.adjusted(-_FAILURE_GAP, -_FAILURE_GAP, _FAILURE_GAP, _FAILURE_GAP)
    radius = theme.sizes.radius * camera.scale + _FAILURE_GAP
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    glow = QColor(color)
    glow.setAlpha(_GLOW_ALPHA)
    for pen in (QPen(glow, 3 * _GLOW), QPen(color, _GLOW)):
        painter.setPen(pen)
        painter.drawRoundedRect(outline, radius, radius)
    paint_badge(painter, outline.topLeft(), ALARM, color, theme)


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
