"""The graph of a step as an SVG drawing: true curves, and text that can be searched and edited."""

import math
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QRectF, QSize
from PySide6.QtGui import QPainter
from PySide6.QtSvg import QSvgGenerator

from gui.canvas.labels import one_line
from gui.canvas.picture import Heading, Picture
from gui.canvas.scene import Scene
from gui.canvas.snapshot import ensure_application, snapshot, write_picture
from gui.fonts import TEXT_FAMILIES
from gui.theme import LIGHT, Theme
from tracer import Tape
from tracer.errors import ExportError

FORMAT = "svg"
SUFFIX = ".svg"
TITLE = "SVG drawing"

# 1.4 KB a box: beyond this no viewer opens the file.
_MOST_BOXES = 30_000
# SVG's unit is the pixel at this resolution.
_DPI = 96


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
            f"{boxes:,} boxes are too many for SVG (at most {_MOST_BOXES:,}); close some modules, or write a PNG."
        )
    picture = Picture(scene, heading, theme)
    width, height = (math.ceil(side) for side in picture.size)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setResolution(_DPI)
    generator.setSize(QSize(width, height))
    # Without a view box the drawing cannot be scaled.
    generator.setViewBox(QRectF(0, 0, width, height))
    generator.setTitle(one_line(heading.title))
    generator.setDescription(one_line(heading.details))
    painter = QPainter(generator)
    picture.paint(painter)
    painter.end()
    write_picture(out, _with_fallback_fonts(bytes(buffer.data().data())))


def _with_fallback_fonts(svg: bytes) -> bytes:
    """A reader without our fonts should get its own plain letters, not a serif."""
    families = ",".join(TEXT_FAMILIES)
    return svg.replace(f'font-family="{families}"'.encode(), f'font-family="{families},sans-serif"'.encode())
