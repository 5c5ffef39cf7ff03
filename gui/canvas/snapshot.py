"""What the picture exporters share: the scene of a recorded step as it opens by default, and the writing of files."""

from functools import cache
from pathlib import Path

from PySide6.QtGui import QGuiApplication

from gui.canvas.picture import Heading
from gui.canvas.scene import Scene, scene_for
from gui.colorings import DEFAULT, colorings
from gui.fonts import load_fonts
from gui.theme import Theme
from tracer import Tape
from tracer.errors import ExportError
from tracer.layout import lay_out
from tracer.model.records import Step
from tracer.model.view_builder import ViewOptions, build_view, default_open


def snapshot(tape: Tape, step: int, theme: Theme) -> tuple[Scene, Heading]:
    """The whole graph of one step, opened as far as the app would open it, and the line above it."""
    ensure_application()
    graph = tape.graph(step)
    view = build_view(graph, ViewOptions(open_groups=default_open(graph)))
    scene = scene_for(lay_out(view), graph, None, colorings()[DEFAULT], theme)
    return scene, heading_of(tape.steps[step], len(graph))


def heading_of(step: Step, node_count: int) -> Heading:
    """Step number; then loss, structure and size."""
    details = [f"loss {step.scalars['loss']:.6g}"] if "loss" in step.scalars else []
    details += [f"structure {step.topology_id[:8]}", f"{node_count:,} nodes"]
    return Heading(f"Step {step.index}", "  ·  ".join(details))


def ensure_application() -> None:
    """Make sure that Qt can draw text: without an app there is no font. It needs no display."""
    if QGuiApplication.instance() is None:
        _offscreen_application()
    load_fonts()


@cache
def _offscreen_application() -> QGuiApplication:
    return QGuiApplication(["tapescope", "-platform", "offscreen"])


def write_picture(out: Path, content: bytes) -> None:
    """Write the file, or raise ExportError and say why not."""
    try:
        out.write_bytes(content)
    except OSError as error:
        raise ExportError(f"Cannot write {out}: {error.strerror}. Choose a place that can be written.") from None
