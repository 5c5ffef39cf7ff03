"""Steps without a graph, and steps that are not there: the picture of them, the window on them."""

import os
import subprocess
from pathlib import Path

from PySide6.QtGui import QImage

from tracer.launch import command as tapescope


def take_screenshot(tape: Path, step: int, out: Path) -> subprocess.CompletedProcess[str]:
    words = tapescope("open", str(tape), "--step", str(step), "--screenshot", str(out), "--size", "900x600")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(words, capture_output=True, text=True, timeout=50, env=environment)


def test_a_step_without_a_graph_is_pictured(thinned_tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "step.png"
    done = take_screenshot(thinned_tape, 4, out)
    assert done.returncode == 0, done.stderr
    assert QImage(str(out)).width() == 900


def test_no_picture_is_taken_of_a_step_that_is_not_there(thinned_tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "step.png"
    done = take_screenshot(thinned_tape, 99, out)
    sentence = f"tapescope: There is no step 99 in {thinned_tape}; it has steps 0 to 5."
    assert (done.returncode, done.stderr.strip()) == (2, sentence)
    assert not out.exists()
