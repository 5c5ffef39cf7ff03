"""What the picture exporters share: the scene of a recorded step as it opens by default, and the writing of files."""

from functools import cache
from pathlib import Path

from PySide6.QtGui import QGuiApplication

from gui import format as fmt
from gui.canvas.fit import fit, fit_against
from gui.canvas.picture import Heading
from gui.canvas.scene import Scene, scene_for, scene_of
from gui.colorings import DEFAULT, colorings
from gui.fonts import load_fonts
from gui.theme import Theme
from tracer import GraphDiff, Tape
from tracer.errors import ExportError
from tracer.layout import lay_out
from tracer.model.diff import diff
from tracer.model.records import Step
from tracer.model.union import Union
from tracer.model.view_builder import ViewOptions, build_view, default_open


def snapshot(tape: Tape, step: int, theme: Theme) -> tuple[Scene, Heading]:
    """The whole graph of one step, opened as far as the app would open it, and the line above it."""
    ensure_application()
    graph = tape.graph(step)
    view = build_view(graph, ViewOptions(open_groups=default_open(graph)))
    scene = scene_for(lay_out(view), graph, None, colorings()[DEFAULT], theme)
    return scene, heading_of(tape.steps[step], len(graph))


def comparison(tape: Tape, step: int, against: int, theme: Theme) -> tuple[Scene, Heading]:
    """The graphs of two steps in one, opened as the app would open it: what the first adds, lacks or changes over the
    second is marked, and folds say how many copies both have.

    Raises TapeError where one of them has no graph.
    """
    ensure_application()
    union, graphs = Union(), (tape.graph(against), tape.graph(step))
    for graph, index in zip(graphs, (against, step), strict=True):
        union.add(graph, tape.step(index).topology_id)
    view = build_view(union.graph, ViewOptions(open_groups=default_open(union.graph)))
    changes = diff(*graphs)
    fitted = fit_against(fit(lay_out(view), graphs[1]), set(graphs[0]))
    scene = scene_of(fitted, changes, colorings()[DEFAULT], theme)
    return scene, heading_of_two(step, against, changes)


def heading_of_two(step: int, against: int, changes: GraphDiff) -> Heading:
    """Both step numbers; then how many nodes differ."""
    counts = {"added": len(changes.added), "removed": len(changes.removed), "changed": len(changes.changed)}
    details = [f"{fmt.plural(count, 'node')} {what}" for what, count in counts.items() if count]
    return Heading(f"Step {step} against step {against}", "  ·  ".join(details) or "Same graph")


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
