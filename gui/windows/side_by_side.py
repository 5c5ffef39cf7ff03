"""The canvas of the shown step, and left of it, where the user wants two, that of the step it is compared with."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from gui.canvas.canvas import GraphCanvas
from gui.canvas.linked_cameras import LinkedCameras
from gui.differences import step_text
from gui.drawing import Drawing
from gui.session import Session
from gui.theme import Theme
from gui.windows.elided_label import ElidedLabel

NO_COMPARISON = "The shown step has no graph to compare with another"


class SideBySide(QSplitter):
    """Both canvases have the same layout; cameras are linked, what is pointed at and opened is the same in both."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.compared, self.shown = StepPane(theme), StepPane(theme)
        self.cameras = LinkedCameras(self.shown.canvas, self.compared.canvas)
        self.compared.canvas.set_legend_visible(False)
        self.compared.canvas.set_minimap_visible(False)
        self.compared.canvas.setAccessibleName(self.tr("Graph of the compared step"))
        self.compared.hide()
        self.are_two = False
        for pane in (self.compared, self.shown):
            self.addWidget(pane)
            self.setStretchFactor(self.indexOf(pane), 1)
        self.setChildrenCollapsible(False)
        for one, other in ((self.compared.canvas, self.shown.canvas), (self.shown.canvas, self.compared.canvas)):
            one.hover_changed.connect(other.set_hover)
            one.group_toggled.connect(other.expect_toggle)
        self.dress(theme)

    @property
    def canvases(self) -> tuple[GraphCanvas, GraphCanvas]:
        return self.shown.canvas, self.compared.canvas

    def show_session(self, session: Session) -> None:
        """The session's drawing, in two where its options say so."""
        are_two = self.are_two = session.options.side_by_side
        for pane in (self.compared, self.shown):
            pane.header.setVisible(are_two)
        if are_two and self.compared.isHidden():
            self.setSizes([1, 1])
        with self.cameras.together():
            self.shown.canvas.set_scene(None if session.drawing is None else session.drawing.scene)
            self._show_compared(session.drawing if are_two else None, session)
        self.compared.setVisible(are_two)
        if are_two:
            self.shown.header.setText(_shown_text(session))

    @Slot(object)
    def dress(self, theme: Theme) -> None:
        for pane in (self.compared, self.shown):
            pane.dress(theme)
        self.setStyleSheet(f"QSplitter::handle {{ background: {theme.border}; }}")

    def _show_compared(self, drawing: Drawing | None, session: Session) -> None:
        pane, counterpart = self.compared, None if drawing is None else drawing.compared
        if counterpart is None:
            pane.canvas.placeholder = NO_COMPARISON if session.undrawn is not None else ""
            pane.header.setText("")
            pane.canvas.set_scene(None)
            return
        pane.canvas.placeholder = counterpart.why
        pane.canvas.set_scene(counterpart.scene)
        node_count = None if counterpart.scene is None else counterpart.scene.graph.number_of_nodes()
        step = counterpart.step
        text = "" if step is None else step_text(step, node_count, session.timeline)
        is_pinned = step is not None and step.index == session.pinned_step
        pane.header.setText(self.tr("Pinned · {0}").format(text) if is_pinned else text)


class StepPane(QWidget):
    """A canvas under a line that says which step it shows."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.canvas = GraphCanvas(theme)
        self.header = ElidedLabel()
        self.header.setObjectName("pane_header")
        self.header.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.canvas, 1)

    def dress(self, theme: Theme) -> None:
        self.canvas.set_theme(theme)
        self.header.setStyleSheet(
            f"#pane_header {{ background: {theme.raised}; color: {theme.text}; padding: 5px 12px;"
            f" border-bottom: 1px solid {theme.border}; }}"
        )


def _shown_text(session: Session) -> str:
    if session.drawing is not None:
        return step_text(session.drawing.step, session.drawing.graph.number_of_nodes(), session.timeline)
    step = None if session.undrawn is None else session.undrawn.step
    return "" if step is None else step_text(step, None, session.timeline)
