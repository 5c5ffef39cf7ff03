"""The graph of a step as a PDF document: one page as large as the picture, true curves, text with its fonts in it."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QSizeF
from PySide6.QtGui import QPageLayout, QPageSize, QPainter, QPdfWriter

from gui.canvas.labels import one_line
from gui.canvas.picture import Heading, Picture
from gui.canvas.scene import Scene
from gui.canvas.snapshot import ensure_application, snapshot, write_picture
from gui.theme import LIGHT, Theme
from tracer import Tape
from tracer.errors import ExportError

FORMAT = "pdf"
SUFFIX = ".pdf"
TITLE = "PDF document"

_MOST_BOXES = 30_000
_POINTS_A_PIXEL = 0.75
# What PDF readers can be relied on to show: 200 inches.
_MOST_POINTS = 14_400.0
# Curves are written in units of this fraction of an inch.
_DPI = 1_200


def export(tape: Tape, step: int, out: Path) -> None:
    """Write the graph of a recorded step. Raises ExportError where `out` cannot be written."""
    scene, heading = snapshot(tape, step, LIGHT)
    paint(scene, heading, out)


def paint(scene: Scene, heading: Heading, out: Path, theme: Theme = LIGHT) -> None:
    """Write a scene as it is, in the theme it was coloured with. Any thread. Raises ExportError as `export` does."""
    ensure_application()
    boxes = len(scene.layout.boxes)
    if boxes > _MOST_BOXES:
        raise ExportError(
            f"{boxes:,} boxes are too many for PDF (at most {_MOST_BOXES:,}); close some modules, or write a PNG."
        )
    picture = Picture(scene, heading, theme)
    points = page_points(*picture.size)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setResolution(_DPI)
    size = QPageSize(QSizeF(*points), QPageSize.Unit.Point, "graph", QPageSize.SizeMatchPolicy.ExactMatch)
    writer.setPageLayout(QPageLayout(size, QPageLayout.Orientation.Portrait, QMarginsF()))
    writer.setTitle(one_line(heading.title))
    writer.setCreator("Tapescope")
    painter = QPainter(writer)
    scale = points[0] / picture.size[0] * _DPI / 72
    painter.scale(scale, scale)
    picture.paint(painter)
    painter.end()
    write_picture(out, bytes(buffer.data().data()))


def page_points(width: float, height: float) -> tuple[float, float]:
    """The page of a picture of so many pixels: as large as on screen, or as large as a page may be."""
    scale = min(_POINTS_A_PIXEL, _MOST_POINTS / max(width, height))
    return width * scale, height * scale
