"""`docs/overhead.md`, as the overhead benchmark writes it."""

import os
import platform
import subprocess
from datetime import date
from pathlib import Path

import torch

Sections = dict[str, list[str]]
PAGE = Path(__file__).parents[1] / "docs" / "overhead.md"

_PAGE = """# What recording costs

Written by `python -m benchmarks.overhead --write` (`make bench`) on {day}:
{machine}, {threads}.

Each figure is in milliseconds a step: the median of the differences between alternating blocks of bare and of
instrumented steps in one process; the range behind it is its 95 % interval, the ratio compares the step with the
instrument to the bare one. Writing the tape is part of it. *structure*, *statistics* and *full* are Tapescope's levels,
the graph the same at every step; *floor* is the least that any recorder of the graph does: empty forward hooks, and a
walk over `next_functions` that keeps nothing. torchviz, torchview and torchlens keep one picture or trace, the profiler
a list of events, anomaly mode tracebacks; none of them keeps every step.

## Bars

```
{bars}
```

## Figures

```
{figures}
```
"""


def write(page: Path, figures: list[str], threads: int) -> None:
    """Put the figures of one run on the page; steps that it did not measure keep theirs."""
    found = {**_on(page), **sections(figures)}
    page.write_text(
        _PAGE.format(
            day=date.today().isoformat(),
            machine=machine(),
            threads=f"{threads} thread" if threads == 1 else f"{threads} threads",
            bars="\n".join(bars_of(found)),
            figures="\n".join(figures_of(found)),
        )
    )


def sections(figures: list[str]) -> Sections:
    """The lines of each training step, by its name."""
    found: Sections = {}
    step = ""
    for line in figures:
        if line and not line.startswith(" "):
            step = line.partition(":")[0]
        if line and step:
            found.setdefault(step, []).append(line)
    return found


def figures_of(found: Sections) -> list[str]:
    return "\n\n".join("\n".join(lines) for lines in found.values()).splitlines()


def bars_of(found: Sections) -> list[str]:
    """The lines of the bars, each after the name of its step."""
    return [f"{step}: {line[4:]}" for step, lines in found.items() for line in lines if line.startswith("  > ")]


def _on(page: Path) -> Sections:
    text = page.read_text() if page.exists() else ""
    return sections(text.partition("## Figures")[2].replace("```", "").splitlines())


def machine() -> str:
    """The processor, the accelerator, the system, Python and torch."""
    lines = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout.splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    processor = facts.get("Model name") or platform.processor() or platform.machine()
    accelerator = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{os.cpu_count()} cores of {processor}{accelerator}, {platform.system()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
