"""The thread that finds the course of a pass: of a graph of 20,000 nodes it takes a quarter of a second."""

from PySide6.QtCore import QObject, QThread, Signal

from gui.course import course_of
from gui.drawing import Drawing


class CourseFinder(QThread):
    """Finds one course and ends."""

    found = Signal(object)  # Course

    def __init__(self, drawing: Drawing, pass_index: int, parent: QObject) -> None:
        super().__init__(parent)
        self.drawing = drawing
        self.pass_index = pass_index

    def run(self) -> None:
        drawing = self.drawing
        is_own = drawing.statistics is not None and drawing.measured_step == drawing.step.index
        nodes = drawing.statistics.nodes if drawing.statistics is not None and is_own else None
        self.found.emit(course_of(drawing.step, drawing.scene, self.pass_index, nodes))
