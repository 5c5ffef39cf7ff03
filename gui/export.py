"""Exporting the shown step: pictures of the scene as it stands on screen, data from the tape."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QThread, Signal

from gui.canvas.snapshot import heading_of, heading_of_two
from gui.drawing import Drawing
from gui.formats import exporter, format_names
from tracer import Tape
from tracer.errors import TapescopeError


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """A format as a file dialog offers it."""

    name: str
    suffix: str
    filter: str


def format_choices() -> tuple[FormatChoice, ...]:
    """Every format there is an exporter for, pictures as people know them first."""
    modules = {name: exporter(name) for name in sorted(format_names(), key=lambda name: (name == "json", name))}
    return tuple(
        FormatChoice(name, module.SUFFIX, f"{module.TITLE} (*{module.SUFFIX})") for name, module in modules.items()
    )


def export_drawing(drawing: Drawing, tape: Path, name: str, out: Path) -> None:
    """Writes the drawn step in a format. Raises TapescopeError where it cannot be written. Any thread."""
    module = exporter(name)
    if hasattr(module, "paint"):
        heading = heading_of(drawing.step, len(drawing.graph))
        if drawing.diff:
            heading = heading_of_two(drawing.step.index, drawing.question.compared_step, drawing.diff)
        module.paint(drawing.scene, heading, out, drawing.question.theme)
        return
    with Tape(tape) as opened:
        module.export(opened, drawing.step.index, out)


class Export(QThread):
    """One export under way."""

    written = Signal(str)  # the file
    failed = Signal(str)  # one sentence

    def __init__(self, drawing: Drawing, tape: Path, name: str, out: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._arguments = (drawing, tape, name, out)

    def run(self) -> None:
        try:
            export_drawing(*self._arguments)
        except TapescopeError as error:
            self.failed.emit(str(error))
        else:
            self.written.emit(str(self._arguments[-1]))
