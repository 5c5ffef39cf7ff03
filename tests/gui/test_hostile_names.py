"""Names from a stranger's tape: on screen they are text, in exported files they are text, and nothing is fetched."""

import ast
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest
from PySide6.QtCore import Qt

from gui.plain_text import PlainLabel, plain_tip
from tests.store.samples import META, step_record, structure
from tracer import Tape
from tracer.model.structure import ModuleCall, SourceLine
from tracer.plugins import load, names
from tracer.store.records import EventRecord, SourceRecord, StructureRecord
from tracer.store.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "script": "<script>alert(1)</script>",
    "picture": '<img src="file:///etc/passwd" onerror="x()">',
    "end of a text": "]]></text></svg><svg onload='x()'>",
    "entity": '&xxe; <!ENTITY xxe SYSTEM "file:///etc/passwd">',
    "quotes": "a\"b'c`d",
    "control characters": "a\0b\x1b[31mc\x07\x9b\x7f\ufffe\uffff",
    "lines": "one\ntwo\rthree\u2028four",
    "direction": "abc\u202egnp.exe\u2066\u200f",
    "half a pair": "a\ud800b\udcff",
    "a megabyte": "<b>" * 350_000,
    "pdf": ") /OpenAction << /S /JavaScript /JS (x) >> (",
}


def hostile_tape(path: Path, name: str) -> Path:
    plain = structure(2)
    nodes = tuple(
        replace(
            node,
            key=f"{node.key}{name}",
            op=f"Mul{name}",
            module=node.module and f"fc.{name}",
            dtype=name[:200],
            device=name[:200],
            parameter=node.parameter and f"fc.{name}.weight",
        )
        for node in plain.nodes
    )
    call = ModuleCall(f"fc.{name}", f"Linear{name}", 0, None, True, True)
    hostile = StructureRecord(replace(plain, nodes=nodes, calls=(call,), unreached=(name,)), "t" + name[:50], "s")
    writer = Writer(path, {**META, "script": name[:1000], "command": name[:1000], "folder": name[:1000]})
    writer.append(replace(step_record(0, hostile, **{f"loss{name[:1000]}": 0.5}), phase=f"train{name[:100]}"))
    lines = tuple(SourceLine(f"/x/{name}.py", 7, f"f{name}") if node.kind == "op" else None for node in nodes)
    writer.append(SourceRecord(hostile, lines))
    writer.append(EventRecord("stopped", 0, 5_000, {"reason": "pause", "text": name}))
    writer.close("closed")
    return path


@pytest.fixture(params=NAMES.values(), ids=NAMES)
def tape(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return hostile_tape(tmp_path / "a.tape", request.param)


def test_exports_of_hostile_names_are_inert(qapp: object, tape: Path, tmp_path: Path) -> None:
    for name, module in names("tracer.exporters", "gui.exporters").items():
        exporter = load(module)
        out = tmp_path / f"out{exporter.SUFFIX}"
        with Tape(tape) as opened:
            exporter.export(opened, 0, out)
            keys = set(opened.graph(0).nodes)
        CHECKS[name](out.read_bytes(), keys)


def check_json(data: bytes, keys: set[str]) -> None:
    assert set(nx.node_link_graph(json.loads(data), edges="edges")) == keys


def check_svg(data: bytes, keys: set[str]) -> None:
    root = ElementTree.fromstring(data)
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag in {
            "svg",
            "title",
            "desc",
            "defs",
            "g",
            "path",
            "rect",
            "text",
            "polyline",
            "polygon",
            "circle",
            "ellipse",
            "line",
            "linearGradient",
            "stop",
            "clipPath",
            "use",
            "image",
            "tspan",
        }, tag
        for attribute, value in element.attrib.items():
            name = attribute.rpartition("}")[2].lower()
            assert not name.startswith("on") and (name != "href" or value.startswith(("#", "data:"))), attribute
    assert len(data) < 1_000_000 and b"<!ENTITY" not in data and b"\0" not in data


def check_pdf(data: bytes, keys: set[str]) -> None:
    assert data.startswith(b"%PDF") and not any(word in data for word in (b"/OpenAction", b"/URI", b"/Launch", b"/AA"))


def check_png(data: bytes, keys: set[str]) -> None:
    assert data.startswith(b"\x89PNG") and len(data) < 5_000_000


CHECKS = {"json": check_json, "svg": check_svg, "pdf": check_pdf, "png": check_png}


def test_every_exporter_is_checked() -> None:
    assert set(names("tracer.exporters", "gui.exporters")) == set(CHECKS)


def test_labels_and_tips_take_no_text_for_html(qtbot: object) -> None:
    hostile = NAMES["picture"]
    assert PlainLabel(hostile).textFormat() == Qt.TextFormat.PlainText
    assert "<img" not in plain_tip(hostile) and "&lt;img" in plain_tip(hostile)
    assert plain_tip("fc.weight [2, 3]") == "fc.weight [2, 3]" and len(plain_tip(NAMES["a megabyte"])) < 100_000


def test_no_widget_guesses_whether_a_text_is_html() -> None:
    for file in sorted((ROOT / "gui").rglob("*.py")):
        if file.name != "plain_text.py":
            used = {
                node.id for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)
            }
            assert "QLabel" not in used, f"{file}: use PlainLabel"
