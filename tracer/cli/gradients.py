"""`tapescope gradients`: how gradients flow through the model, and what is wrong with them."""

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tracer.errors import TapeError, UsageError
from tracer.exporters.json import to_json
from tracer.model.gradient_flow import (
    MOST_COLUMNS,
    Finding,
    GradientFlow,
    Norms,
    by_module,
    findings_at,
    sentence,
)
from tracer.model.unreached import unreached_parameters
from tracer.steps import checked_step
from tracer.store.reader import Tape
from tracer.terminal import say

NAME = "gradients"
HELP = "say how gradients flow through the modules, where they vanish, explode or are missing"

_BAR = 24


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("--step", type=int, metavar="N", help="default: the last step that was measured")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    with Tape(args.tape) as tape:
        measured = tape.table.measured()
        if not measured:
            raise UsageError(f"No step of {tape.path} was measured; record with --level statistics or full.")
        step = measured[-1] if args.step is None else checked_step(tape, args.step)
        if step not in measured:
            raise UsageError(f"Step {step} of {tape.path} was not measured; the last that was is {measured[-1]}.")
        flow = flow_of(tape, measured, step)
        norms = flow.parameters()
        findings = (*findings_at(by_module(norms), _unreached(tape, step), step), *flow.findings())
    if args.json:
        print(to_json(as_dict(step, norms, findings), indent=2))
    else:
        say(*_lines(step, len(measured), by_module(norms), findings))
    return 0


def flow_of(tape: Tape, measured: list[int], shown: int) -> GradientFlow:
    """Of the measured steps; of very many of every so many, and of the shown one. Steps whose numbers were lost are
    left out, the shown one excepted: TapeError."""
    flow, stride = GradientFlow(2 * MOST_COLUMNS), math.ceil(len(measured) / MOST_COLUMNS)
    for at, step in enumerate(measured):
        if at % stride and step != shown:
            continue
        try:
            statistics = tape.statistics(step)
        except TapeError:
            if step == shown:
                raise
            continue
        if statistics is not None:
            flow.add(step, statistics)
    return flow


def as_dict(step: int, norms: Norms, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """The norms in one step, by module and by parameter in forward order, and the findings with their sentences."""
    modules = by_module(norms)
    return {
        "step": step,
        "modules": dict(zip(modules.names, modules.at(step).tolist(), strict=True)),
        "parameters": dict(zip(norms.names, norms.at(step).tolist(), strict=True)),
        "findings": [{**asdict(finding), "text": sentence(finding)} for finding in findings],
    }


def _unreached(tape: Tape, step: int) -> list[str]:
    try:
        return list(unreached_parameters(tape.graph(step)))
    except TapeError:
        return []


def _lines(step: int, n_measured: int, modules: Norms, findings: tuple[Finding, ...]) -> Iterator[str]:
    noun = "step" if n_measured == 1 else "steps"
    yield f"Step {step}, of {n_measured:,} measured {noun}: norm of the gradient by module, the first called first"
    values = modules.at(step).tolist()
    finite = [math.log10(value) for value in values if math.isfinite(value) and value > 0]
    low, high = (math.floor(min(finite)), math.ceil(max(finite))) if finite else (0, 0)
    width = max((len(name or "(model)") for name in modules.names), default=0)
    for name, value in zip(modules.names, values, strict=True):
        text = "none" if math.isnan(value) else f"{value:.3g}"
        yield f"  {(name or '(model)').ljust(width)}  {text.rjust(9)}  {_bar(value, low, high)}".rstrip()
    if finite:
        yield f"  bars from 1e{low} to 1e{high}, by order of magnitude"
    yield ""
    yield from (sentence(finding) for finding in findings)
    if not findings:
        yield "Nothing is wrong with the gradients"


def _bar(value: float, low: int, high: int) -> str:
    if not math.isfinite(value) or value <= 0:
        return ""
    return "█" * max(round(_BAR * (math.log10(value) - low) / max(high - low, 1)), 1)
