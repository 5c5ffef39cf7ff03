"""How long the window takes to be up, from the start of the process, beside the barest window PySide6 can show.

    python -m benchmarks.startup [--runs N]

Each run is a process of its own; the two alternate. The window counts as up when it is exposed, which is when it can
be painted. Without a display both use Qt's offscreen platform.
"""

import argparse
import os
import statistics
import subprocess
import sys
from time import perf_counter

from tracer.display import has_display

BAR_SECS = 2.0
BARE = """
from PySide6.QtWidgets import QApplication, QMainWindow
app = QApplication([])
window = QMainWindow()
"""
OURS = """
from gui.application import make_application, make_window
app = make_application()
window = make_window(app)
"""
SHOW = """
window.show()
while not window.windowHandle().isExposed():
    app.processEvents()
print("up", flush=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    if not has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    seconds_until_up(BARE), seconds_until_up(OURS)  # the disk is warm from here on
    pairs = [(seconds_until_up(BARE), seconds_until_up(OURS)) for _ in range(runs)]
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"bare window {bare:.2f} s, Tapescope's {ours:.2f} s, ratio {ours / bare:.2f} (medians of {runs} runs)")
    print(f"window up within {BAR_SECS:.0f} s of the command: {'yes' if ours <= BAR_SECS else 'no'} ({ours:.2f} s)")
    return 0


def seconds_until_up(code: str) -> float:
    started = perf_counter()
    command = [sys.executable, "-c", code + SHOW]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = perf_counter() - started
    assert line == b"up\n", "the window did not come up"
    return elapsed


if __name__ == "__main__":
    sys.exit(main())
