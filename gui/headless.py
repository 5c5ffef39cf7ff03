"""The main job without a display: a demo trained and watched by the real window offscreen, its results in files."""

import sys
from dataclasses import dataclass
from pathlib import Path

from gui.demos import DEFAULT, Demo, find_demo
from gui.export import export_drawing
from gui.findings import why_nothing
from gui.screenshot import go_offscreen, save_window, temporary_window, wait_until
from tracer.errors import TapescopeError, UsageError

OUT_FOLDER = "tapescope-out"
STEPS = 60
WINDOW_SIZE_PX = (1440, 900)


@dataclass(frozen=True, slots=True)
class Results:
    tape: Path
    window: Path
    graph: Path


def run_demo(name: str = DEFAULT, steps: int = STEPS, folder: Path | None = None) -> int:
    """Trains a demo for some steps, writes its tape, a picture of the window and one of the graph; the exit code."""
    demo = find_demo(name)
    out = folder or Path.cwd() / OUT_FOLDER
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Cannot write to {out}: {error.strerror}. Start in a folder that can be written.") from None
    results = Results(out / f"{name}.tape", out / f"{name}-window.png", out / f"{name}-graph.svg")
    _train_and_picture(demo, steps, results)
    for title, path in (("tape", results.tape), ("window", results.window), ("graph", results.graph)):
        print(f"{title + ':':8} {path}")
    return 0


def _train_and_picture(demo: Demo, steps: int, results: Results) -> None:
    go_offscreen()
    with temporary_window("light", WINDOW_SIZE_PX) as window:
        workbench, session = window.workbench, window.workbench.session
        workbench.output_read.connect(_echo)
        options = ("--max-steps", str(steps))
        workbench.run_script(demo.path, options=options, tape=results.tape, is_attended=False)
        wait_until(lambda: session.run_state == "ended" and not workbench.can_stop)
        if session.step < 0:
            raise TapescopeError("The demo ended without a step; what it wrote stands above.")
        save_window(window, results.window)
        if session.drawing is None:
            raise TapescopeError(why_nothing(session))
        export_drawing(session.drawing, results.tape, "svg", results.graph)


def _echo(data: bytes, is_error: bool) -> None:
    stream = sys.stderr if is_error else sys.stdout
    stream.write(data.decode("utf-8", "replace"))
    stream.flush()
