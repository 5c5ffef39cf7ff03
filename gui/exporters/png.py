"""The graph of a step as a PNG picture, at twice the screen's resolution where that is not too large."""

import math
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QImage, QPainter

from gui.canvas.picture import Heading, Picture
from gui.canvas.scene import Scene
from gui.canvas.snapshot import ensure_application, snapshot, write_picture
from gui.theme import LIGHT, Theme
from tracer import Tape
from tracer.errors import ExportError

FORMAT = "png"
SUFFIX = ".png"
TITLE = "PNG picture"

_SCALE = 2.0
# QPainter counts in 16 bits here and there; 100 megapixels take 400 MB while they are painted.
_MOST_SIDE_PX = 16_000
_MOST_PIXELS = 100_000_000


def export(tape: Tape, step: int, out: Path) -> None:
    """Write the graph of a recorded step. Raises ExportError where `out` cannot be written."""
    scene, heading = snapshot(tape, step, LIGHT)
    paint(scene, heading, out)


def paint(scene: Scene, heading: Heading, out: Path, theme: Theme = LIGHT) -> None:
    """Write a scene as it is, in the theme it was coloured with. Any thread. Raises ExportError as `export` does."""
    ensure_application()
    picture = Picture(scene, heading, theme)
    scale = scale_for(*picture.size)
    width, height = (max(round(side * scale), 1) for side in picture.size)
    image = QImage(width, height, QImage.Format.Format_RGB32)
    if image.isNull():
        raise ExportError(f"There is not enough memory for a picture of {width} × {height} pixels; close some modules.")
    painter = QPainter(image)
    painter.scale(scale, scale)
    picture.paint(painter, scale)
    painter.end()
    write_picture(out, _encoded(image))


def scale_for(width: float, height: float) -> float:
    """Pixels for each natural pixel: 2, or as many as keep the picture within bounds."""
    return min(_SCALE, _MOST_SIDE_PX / max(width, height), math.sqrt(_MOST_PIXELS / (width * height)))


def _encoded(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())
