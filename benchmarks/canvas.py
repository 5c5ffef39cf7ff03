"""CPU milliseconds of the canvas, beside one bare `QPainter.drawRects` of the same rectangles, and its bars.

    python -m benchmarks.canvas

Medians at 1280 × 800, offscreen. "far" shows every box, "near" is 100 % around the middle, with titles. A recolouring
is timed from what was measured to the painted picture: colours, scene, renderer, boxes over the ground that is kept.
"""

import itertools
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import networkx as nx
import numpy as np
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

from gui.canvas.batches import draw_rects
from gui.canvas.camera import Camera, fitted
from gui.canvas.figure import figure_of
from gui.canvas.fit import Fit, fit
from gui.canvas.frame import Frame
from gui.canvas.hit_testing import hit
from gui.canvas.renderer import Renderer
from gui.canvas.scene import Scene, scene_of
from gui.colorings import colorings
from gui.fonts import load_fonts
from gui.theme import LIGHT
from tracer.layout.result import Layout
from tracer.model.view import Box, Link, View

SIZES = (1_000, 10_000, 50_000)
VIEWPORT = (1280, 800)
REPEATS = 15
BARS = {
    "frame, far": {1_000: 8.0, 10_000: 12.0, 50_000: 30.0},
    "pan, cached": {1_000: 1.0, 10_000: 1.0, 50_000: 1.0},
    "recolour, far": {10_000: 6.0},
    "hit test": {1_000: 0.2, 10_000: 0.2, 50_000: 0.2},
}
LEAST_HZ = 20.0
"""Of recolouring 10,000 boxes again and again."""

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
    graph.add_edges_from((link.source, link.target, {"output_nr": 0}) for link in links)
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
    fitted_ = fit(layout, graph)
    scene = _colored(fitted_, "op_type")
    renderer = Renderer(scene, LIGHT)
    far = fitted((0.0, 0.0, *layout.size), VIEWPORT)
    near = Camera().centered_on(layout.size[0] / 2, layout.size[1] / 2, VIEWPORT)
    image = QImage(*VIEWPORT, QImage.Format.Format_RGB32)
    yield "drawRects alone, far", cpu_ms(lambda: _paint(image, far, lambda painter: draw_rects(painter, layout.boxes)))
    yield "frame, far", cpu_ms(lambda: _paint_scene(image, far, renderer))
    yield "frame, near", cpu_ms(lambda: _paint_scene(image, near, renderer))
    yield "pan, cached", _pan(renderer, near, image)
    yield "recolour, far", _recolour(renderer, far)
    yield "recolour, near", _recolour(renderer, near)
    yield "scene of a graph not shown before", cpu_ms(lambda: _colored(fit(layout, graph), "op_type"))
    yield "what a new layout needs", cpu_ms(lambda: figure_of(replace(layout)))
    x, y = layout.size[0] / 2, layout.size[1] / 2
    tests = [(x + n, y) for n in range(10)]
    yield (
        "hit test",
        cpu_ms(lambda: [hit(layout, renderer.curves, at, 4.0, 26.0, renderer.presence) for at in tests]) / 10,
    )


def _colored(fitted: Fit, name: str) -> Scene:
    return scene_of(fitted, None, colorings()[name], LIGHT)


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


def _recolour(renderer: Renderer, camera: Camera) -> float:
    """The same layout in the colours of another step, every other time in those of another colouring."""
    frame = Frame()
    frame.render(renderer, camera, VIEWPORT, 1.0)
    names = itertools.cycle(("module", "op_type"))

    def recolour() -> None:
        scene = _colored(renderer.scene.fit, next(names))
        frame.outdate()
        frame.render(Renderer(scene, LIGHT, renderer), camera, VIEWPORT, 1.0)

    recolour()
    return cpu_ms(recolour)


def _pan(renderer: Renderer, camera: Camera, image: QImage) -> float:
    frame = Frame()
    frame.render(renderer, camera, VIEWPORT, 1.0)
    moved = camera.panned(40.0, 25.0)

    def draw() -> None:
        painter = QPainter(image)
        frame.draw(painter, moved)
        painter.end()

    return cpu_ms(draw)


def main() -> int:
    """Print one table, then the bars."""
    app = QApplication([])
    load_fonts()
    columns = {count: dict(measurements(count)) for count in SIZES}
    floors = [next(iter(column.values())) for column in columns.values()]
    print(f"{'CPU ms (ratio to drawRects alone)':<36}" + "".join(f"{f'{count:,} boxes':>20}" for count in SIZES))
    for name in columns[SIZES[0]]:
        figures = [column[name] for column in columns.values()]
        cells = (f"{figure:.2f} ({figure / floor:.1f})" for figure, floor in zip(figures, floors, strict=True))
        print(f"{name:<36}" + "".join(f"{cell:>20}" for cell in cells))
    for name, limits in BARS.items():
        for count, limit in limits.items():
            found = columns[count][name]
            print(
                f"{name}, {count:,} boxes: {found:.2f} ms ({'met' if found <= limit else 'missed'}, at most {limit:g})"
            )
    rate = 1_000 / columns[10_000]["recolour, far"]
    print(f"live recolour, 10,000 boxes: {rate:.0f} Hz ({'met' if rate >= LEAST_HZ else 'missed'}, at least 20)")
    app.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
