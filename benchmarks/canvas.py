"""CPU milliseconds of the canvas, beside one bare `QPainter.drawRects` of the same rectangles.

    python benchmarks/canvas.py

Medians at 1280 × 800, offscreen. "far" shows every box, "near" is 100 % around the middle, with titles.
"""

import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import networkx as nx
import numpy as np
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

from gui.canvas.batches import draw_rects
from gui.canvas.camera import Camera, fitted
from gui.canvas.frame import Frame
from gui.canvas.hit_testing import hit
from gui.canvas.renderer import Renderer
from gui.canvas.scene import Scene, scene_for
from gui.colorings import colorings
from gui.fonts import load_fonts
from gui.theme import LIGHT
from tracer.layout.result import Layout
from tracer.model.view import Box, Link, View

SIZES = (1_000, 10_000, 50_000)
VIEWPORT = (1280, 800)
REPEATS = 9
_OPS = ("AddmmBackward0", "ReluBackward0", "NativeLayerNormBackward0", "SoftmaxBackward0", "AddBackward0")
_COLUMN, _ROW = 170.0, 78.0


def grid(count: int) -> tuple[Layout, nx.MultiDiGraph]:
    """Boxes in rows as wide as a screen, so that all are in sight when it fits: a painter's worst case."""
    rng = np.random.default_rng(0)
    columns = max(int(math.sqrt(count * 1.6 * _ROW / _COLUMN)), 1)
    names = [_OPS[number] for number in rng.integers(0, len(_OPS), count)]
    boxes = tuple(Box(f"m#0/{op}:{n}", "op", op[:-9], "64×128", None, (f"m#0/{op}:{n}",)) for n, op in enumerate(names))
    at = np.arange(count)
    widths = rng.choice([90.0, 120.0, 140.0], count)
    rects = np.stack([at % columns * _COLUMN, at // columns * _ROW, widths, np.full(count, 36.0)], axis=1)
    sources = np.flatnonzero(at + columns < count)
    targets = np.minimum(sources + columns + rng.integers(-1, 2, len(sources)), count - 1)
    ends = rects[:, :2] + rects[:, 2:] * (0.5, 0.0)
    points = np.stack([ends[sources] + (0.0, 36.0), ends[targets]], axis=1).reshape(-1, 2)
    links = tuple(Link(boxes[a].key, boxes[b].key, 1) for a, b in zip(sources.tolist(), targets.tolist(), strict=True))
    size = (columns * _COLUMN, math.ceil(count / columns) * _ROW)
    starts = np.arange(0, 2 * len(links) + 1, 2)
    layout = Layout(View(boxes, (), links), rects, np.zeros((0, 4)), points, starts, size)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(
        (box.key, {"kind": "op", "op": op, "module": "m", "shapes": [[64, 128]]})
        for box, op in zip(boxes, names, strict=True)
    )
    graph.add_edges_from((link.source, link.target) for link in links)
    return layout, graph


def cpu_ms(action: Callable[[], object]) -> float:
    """The median of CPU times, after one run to warm up."""
    action()
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        action()
        times.append((time.process_time() - started) * 1_000)
    return statistics.median(times)


def measurements(count: int) -> Iterator[tuple[str, float]]:
    """What is done, and its CPU milliseconds; the floor comes first."""
    layout, graph = grid(count)
    scene = scene_for(layout, graph, None, colorings()["op_type"], LIGHT)
    renderer = Renderer(scene, LIGHT)
    far = fitted((0.0, 0.0, *layout.size), VIEWPORT)
    near = Camera().centered_on(layout.size[0] / 2, layout.size[1] / 2, VIEWPORT)
    image = QImage(*VIEWPORT, QImage.Format.Format_RGB32)
    yield "drawRects alone, far", cpu_ms(lambda: _paint(image, far, lambda painter: draw_rects(painter, layout.boxes)))
    yield "frame, far", cpu_ms(lambda: _paint_scene(image, far, renderer))
    yield "frame, near", cpu_ms(lambda: _paint_scene(image, near, renderer))
    yield "pan, cached", _pan(renderer, near, image)
    yield "recolour, far", cpu_ms(lambda: _recolour(image, far, scene, renderer))
    yield "new scene of a step", cpu_ms(lambda: scene_for(layout, graph, None, colorings()["op_type"], LIGHT))
    x, y = layout.size[0] / 2, layout.size[1] / 2
    yield "hit test", cpu_ms(lambda: [hit(layout, renderer.curves, (x + n, y), 4.0, 26.0) for n in range(10)]) / 10


def _paint(image: QImage, camera: Camera, draw: Callable[[QPainter], None]) -> None:
    image.fill(QColor(LIGHT.canvas))
    painter = QPainter(image)
    painter.scale(camera.scale, camera.scale)
    painter.translate(-camera.x, -camera.y)
    painter.setPen(QColor(LIGHT.edge))
    draw(painter)
    painter.end()


def _paint_scene(image: QImage, camera: Camera, renderer: Renderer) -> None:
    area = camera.visible(VIEWPORT)
    _paint(image, camera, lambda painter: renderer.paint(painter, area, camera.scale))


def _recolour(image: QImage, camera: Camera, scene: Scene, renderer: Renderer) -> None:
    """The same layout in the colours of another step: what the timeline does while it is dragged."""
    _paint_scene(image, camera, Renderer(scene, LIGHT, renderer.curves))


def _pan(renderer: Renderer, camera: Camera, image: QImage) -> float:
    frame = Frame()
    frame.render(renderer, camera, VIEWPORT, 1.0)
    moved = camera.panned(40.0, 25.0)

    def draw() -> None:
        painter = QPainter(image)
        frame.draw(painter, moved)
        painter.end()

    return cpu_ms(draw)


def main() -> None:
    """Print one table."""
    app = QApplication([])
    load_fonts()
    columns = [dict(measurements(count)) for count in SIZES]
    floors = [next(iter(column.values())) for column in columns]
    print(f"{'CPU ms (ratio to drawRects alone)':<36}" + "".join(f"{f'{count:,} boxes':>20}" for count in SIZES))
    for name in columns[0]:
        cells = (
            f"{column[name]:.2f} ({column[name] / floor:.1f})" for column, floor in zip(columns, floors, strict=True)
        )
        print(f"{name:<36}" + "".join(f"{cell:>20}" for cell in cells))
    app.quit()


if __name__ == "__main__":
    main()
