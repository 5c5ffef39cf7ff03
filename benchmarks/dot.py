"""Graphviz dot as a peer, in a child process: it holds the GIL while it works, and may never come to an end.

python -m benchmarks.dot    reads DOT from its input, writes CPU seconds and the nodes' centres as JSON
"""

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec

from tracer.layout.sizes import box_size
from tracer.model.view import View

LIMIT_SECS = 60
POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class Placed:
    """CPU seconds, and the centre x, y of each box by its key, y upwards, in our units."""

    cpu_secs: float
    centres: dict[str, tuple[float, float]]


def is_there() -> bool:
    return find_spec("pygraphviz") is not None or shutil.which("dot") is not None


class TookTooLong(Exception):
    """dot was killed after LIMIT_SECS."""


def start(view: View) -> subprocess.Popen[str]:
    """dot at work on the boxes and links of a view, without frames, which would take it longer."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.dot"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    child.stdin.write(_source(view))
    child.stdin.close()
    child.stdin = None
    return child


def finish(child: subprocess.Popen[str], view: View, limit_secs: float = LIMIT_SECS) -> Placed:
    try:
        output, _ = child.communicate(timeout=limit_secs)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise TookTooLong from None
    if child.returncode:
        raise RuntimeError(f"dot ended with {child.returncode}")
    found = json.loads(output)
    return Placed(found["cpu_secs"], {view.boxes[int(n)].key: (x, y) for n, (x, y) in found["centres"].items()})


def place(view: View) -> Placed:
    return finish(start(view), view)


def _source(view: View) -> str:
    number = {box.key: index for index, box in enumerate(view.boxes)}
    lines = ["digraph {", 'node [shape=box fixedsize=true label=""]']
    for box in view.boxes:
        width, height = box_size(box)
        lines.append(f"{number[box.key]} [width={width / POINTS_PER_INCH:.3f} height={height / POINTS_PER_INCH:.3f}]")
    lines += [f"{number[link.source]} -> {number[link.target]}" for link in view.links]
    return "\n".join([*lines, "}"])


def main() -> None:
    source = sys.stdin.read()
    cpu_secs, text = _by_library(source) if find_spec("pygraphviz") else _by_binary(source)
    nodes = re.findall(r"^node (\S+) (\S+) (\S+)", text, re.MULTILINE)
    centres = {name: (float(x) * POINTS_PER_INCH, float(y) * POINTS_PER_INCH) for name, x, y in nodes}
    json.dump({"cpu_secs": cpu_secs, "centres": centres}, sys.stdout)


def _by_library(source: str) -> tuple[float, str]:
    import pygraphviz

    graph = pygraphviz.AGraph(string=source)
    started = time.process_time()
    graph.layout("dot")
    cpu_secs = time.process_time() - started
    rows = []
    for node in graph.nodes():
        x, y = node.attr["pos"].split(",")
        rows.append(f"node {node} {float(x) / POINTS_PER_INCH} {float(y) / POINTS_PER_INCH}")
    return cpu_secs, "\n".join(rows)


def _by_binary(source: str) -> tuple[float, str]:
    import resource

    done = subprocess.run(["dot", "-Tplain"], input=source, capture_output=True, text=True, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, done.stdout


if __name__ == "__main__":
    main()
