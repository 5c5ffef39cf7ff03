"""PNG, SVG and PDF of a scene: files that other programs can read, whatever the names in them."""

import itertools
import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path
from types import ModuleType

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QColor, QImage
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from gui.canvas.picture import Heading, Picture
from gui.canvas.scene import Scene, scene_for
from gui.canvas.snapshot import heading_of
from gui.colorings import DEFAULT, colorings
from gui.exporters import pdf, png, svg
from gui.theme import DARK, LIGHT, Theme
from tracer.errors import ExportError
from tracer.layout.result import Layout
from tracer.model.records import Step
from tracer.model.view import Box, Link, View

EXPORTERS = pytest.mark.parametrize("exporter", [png, svg, pdf], ids=lambda exporter: exporter.FORMAT)
HEADING = Heading("Step 7", "loss 0.25")
SVG = "{http://www.w3.org/2000/svg}"


def column(titles: list[str], theme: Theme = LIGHT, gap: float = 60.0, columns: int = 1) -> Scene:
    """Boxes of 120 × 36, the second above the first and so on, each linked to the next."""
    boxes = tuple(Box(f"k{n}", "op", title, "2×3", None, (f"k{n}",)) for n, title in enumerate(titles))
    links = tuple(Link(a.key, b.key, 1) for a, b in itertools.pairwise(boxes))
    rects = [(200.0 * (n % columns), gap * (n // columns), 120.0, 36.0) for n in range(len(boxes))]
    ends = itertools.pairwise(rects)
    points = [p for a, b in ends for p in ((a[0] + 60.0, a[1] + 36.0), (b[0] + 60.0, b[1]))]
    size = (200.0 * columns, gap * (len(boxes) // columns))
    layout = Layout(
        View(boxes, (), links),
        np.array(rects, dtype=np.float64).reshape(-1, 4),
        np.zeros((0, 4)),
        np.array(points, dtype=np.float64).reshape(-1, 2),
        np.arange(0, 2 * len(links) + 1, 2),
        size,
    )
    graph = nx.MultiDiGraph()
    graph.add_nodes_from((box.key for box in boxes), kind="op", op="AddBackward0", module="", shapes=[[2, 3]])
    nx.add_path(graph, [box.key for box in boxes])
    return scene_for(layout, graph, None, colorings()[DEFAULT], theme)


def texts(path: Path) -> str:
    return "\n".join("".join(node.itertext()) for node in ET.parse(path).getroot().iter(f"{SVG}text"))


def test_an_svg_has_a_view_box_and_real_text(qapp: QApplication, tmp_path: Path) -> None:
    out = tmp_path / "graph.svg"
    svg.paint(column(["Addmm", "Relu"]), HEADING, out)
    root = ET.parse(out).getroot()
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    assert (left, top) == (0, 0) and width > 200 and height > 120
    assert all(text in texts(out) for text in ("Addmm", "Relu", "Step 7", "loss 0.25", "Type of operation"))
    assert QSvgRenderer(str(out)).isValid()


def test_a_png_is_twice_the_natural_size_in_the_theme_of_its_scene(qapp: QApplication, tmp_path: Path) -> None:
    for theme in (LIGHT, DARK):
        out = tmp_path / f"{theme.name}.png"
        png.paint(column(["Addmm", "Relu"], theme), HEADING, out, theme)
        image = QImage(str(out))
        assert image.width() > 2 * 400 and image.height() > 2 * 120
        assert image.pixelColor(2, 2) == QColor(theme.canvas)


def page_of(path: Path) -> bytes:
    """The drawing commands of a document's only page."""
    content = path.read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert re.findall(rb"/Count (\d+)", content) == [b"1"]
    return zlib.decompress(re.search(rb"stream\r?\n(x.*?)endstream", content, re.DOTALL)[1])


def test_a_pdf_is_one_page_of_the_pictures_size_with_text_and_its_fonts(qapp: QApplication, tmp_path: Path) -> None:
    out = tmp_path / "graph.pdf"
    scene = column(["Addmm", "Relu"])
    pdf.paint(scene, HEADING, out)
    box = re.search(rb"/MediaBox \[([^\]]*)\]", out.read_bytes())[1]
    width, height = Picture(scene, HEADING, LIGHT).size
    assert [float(number) for number in box.split()] == pytest.approx([0, 0, 0.75 * width, 0.75 * height], abs=1.0)
    assert page_of(out).count(b"BT") >= len(["Step 7", "loss 0.25", "Addmm", "2×3", "Relu", "2×3"])
    assert b"/FontFile" in out.read_bytes()


@given(st.floats(1.0, 1e7), st.floats(1.0, 1e7))
def test_a_page_has_the_form_of_the_picture_and_no_side_that_readers_refuse(width: float, height: float) -> None:
    across, down = pdf.page_points(width, height)
    assert max(across, down) <= 14_400 * (1 + 1e-9)
    assert across <= 0.75 * width * (1 + 1e-9) and across / down == pytest.approx(width / height)


HOSTILE = [
    "<script>alert(1)</script>",
    "a & b \"quoted\" 'single' ]]> <!--",
    "nul\x00 bell\x07 escape\x1b line\nbreak",
    "\ud800 lone surrogate",
    "\u202e right to left \U0001f4a5 漢字",
    "x" * 10_000,
    "",
]


@EXPORTERS
def test_hostile_names_give_valid_files(qapp: QApplication, tmp_path: Path, exporter: ModuleType) -> None:
    out = tmp_path / f"graph{exporter.SUFFIX}"
    for name in HOSTILE:
        exporter.paint(column([name, "Relu"]), Heading(name, name), out)
        if exporter is svg:
            ET.parse(out)
            assert not list(ET.parse(out).getroot().iter(f"{SVG}script"))
        elif exporter is pdf:
            assert page_of(out)
        else:
            assert not QImage(str(out)).isNull()


@EXPORTERS
def test_an_empty_graph_is_a_picture_too(qapp: QApplication, tmp_path: Path, exporter: ModuleType) -> None:
    out = tmp_path / f"graph{exporter.SUFFIX}"
    exporter.paint(column([]), HEADING, out)
    assert out.stat().st_size > 100


@EXPORTERS
def test_a_place_that_cannot_be_written_gets_one_sentence(
    qapp: QApplication, tmp_path: Path, exporter: ModuleType
) -> None:
    out = tmp_path / "missing" / "graph"
    with pytest.raises(ExportError) as raised:
        exporter.paint(column(["a"]), HEADING, out)
    assert str(raised.value) == f"Cannot write {out}: No such file or directory. Choose a place that can be written."


def test_the_size_of_a_png_is_bounded() -> None:
    assert png.scale_for(400, 300) == 2.0
    for width, height in ((100, 1_000_000), (60_000, 60_000), (9_000, 9_000)):
        scale = png.scale_for(width, height)
        assert width * scale <= 16_000 and height * scale <= 16_000
        assert width * height * scale**2 <= 100_000_001


def test_a_very_tall_graph_becomes_a_smaller_png(qapp: QApplication, tmp_path: Path) -> None:
    out = tmp_path / "tall.png"
    png.paint(column(["op"] * 1_000), HEADING, out)
    assert QImage(str(out)).height() == 16_000


@pytest.mark.parametrize("exporter", [svg, pdf], ids=lambda exporter: exporter.FORMAT)
def test_a_drawing_of_too_many_boxes_is_refused(qapp: QApplication, tmp_path: Path, exporter: ModuleType) -> None:
    with pytest.raises(ExportError, match=f"30,001 boxes are too many for {exporter.FORMAT.upper()}"):
        exporter.paint(column(["op"] * 30_001, columns=200), HEADING, tmp_path / "huge")
    assert not (tmp_path / "huge").exists()


def test_the_heading_names_step_loss_structure_and_size() -> None:
    step = Step(3, "abcdef0123456789", "s", "train", None, 0, 0.1, {"loss": 0.123456789}, "structure", ())
    assert heading_of(step, 1_234) == Heading("Step 3", "loss 0.123457  ·  structure abcdef01  ·  1,234 nodes")
