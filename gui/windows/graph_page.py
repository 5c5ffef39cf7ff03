"""The graph of the shown step: a line that says what changed, and under it the canvas, or two side by side."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.actions import Actions
from gui.appearance import Appearance
from gui.canvas.camera import READABLE_SCALE
from gui.canvas.rows import box_row
from gui.differences import differing_keys, neighbour
from gui.drawing import Drawing, DrawingOptions, inside_of
from gui.failures import failure_key
from gui.findings import LINK, link_key, why_nothing
from gui.measurements import note_on_colors
from gui.names import Names
from gui.replaying import Replaying
from gui.session import Session
from gui.theme import Theme
from gui.windows.changes_bar import ChangesBar
from gui.windows.incident_bar import IncidentBar
from gui.windows.inside import InsideWindow
from gui.windows.navigation import Navigation
from gui.windows.replay_bar import ReplayBar
from gui.windows.side_by_side import SideBySide
from gui.windows.stop_bar import StopBar
from gui.windows.why_line import WhyLine


class GraphPage(QWidget):
    """Keeps the canvases and the session's selection in step: these speak of boxes, the session of nodes and calls.

    `canvas` is that of the shown step.
    """

    changes_requested = Signal()
    origin_requested = Signal()

    def __init__(self, session: Session, actions: Actions, appearance: Appearance) -> None:
        super().__init__()
        self._session = session
        self._appearance = appearance
        self.panes = SideBySide(appearance.theme)
        self.canvas = self.panes.shown.canvas
        self.bar = ChangesBar(session, actions, appearance.theme)
        self.incidents = IncidentBar(session, appearance.theme)
        self.stop = StopBar(session, actions, appearance.theme)
        self._differing: tuple[str, ...] = ()
        self._is_applying = False
        self._is_choosing = False
        self._anew: DrawingOptions | None = None
        self.insides: list[InsideWindow] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.incidents)
        column.addWidget(self.stop)
        column.addWidget(self.bar)
        column.addWidget(self.panes, 1)
        self._connect()
        # After what gives the canvases their scenes: it puts marks on these and moves the cameras over them.
        self.navigation = Navigation(session, actions, self.panes.canvases, appearance.theme, self)
        self.why_line = WhyLine(session, self.navigation.breadcrumbs, appearance.theme)
        self.why_line.requested.connect(self.changes_requested)
        column.insertWidget(column.count() - 1, self.why_line)
        column.insertWidget(column.count() - 1, self.navigation.focus_bar)
        self.replaying = Replaying(session, self.navigation.navigator, self.panes.canvases)
        self.replay_bar = ReplayBar(session, actions, self.replaying, appearance.theme)
        column.addWidget(self.replay_bar)
        self._show()

    def _connect(self) -> None:
        self._appearance.theme_changed.connect(self._dress)
        self._session.drawing_changed.connect(self._show)
        self._session.drawing_changed.connect(self._mark_failure)
        self._session.incidents_changed.connect(self._mark_failure)
        self._session.options_changed.connect(self._show_arrangement)
        self._session.run_state_changed.connect(self._show_placeholder)
        self._session.selection_changed.connect(self._on_selection)
        self._session.opened_anew.connect(self._expect_anew)
        self.bar.requested.connect(self.changes_requested)
        self.incidents.origin_requested.connect(self.origin_requested)
        self.stop.origin_requested.connect(self.origin_requested)
        for canvas in self.panes.canvases:
            canvas.box_selected.connect(self._on_box_selected)
            canvas.link_selected.connect(self._on_link_selected)
            canvas.group_toggled.connect(self._session.toggle_call)
            canvas.box_activated.connect(self._activate)
        self._session.tape_changed.connect(self._close_insides)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape that had nothing to clear in the graph closes the search, or leaves the focus."""
        if event.key() != Qt.Key.Key_Escape or not self.navigation.escape():
            super().keyPressEvent(event)

    @Slot(str)
    def _activate(self, key: str) -> None:
        """Of what does not open in place: a fold of ops is taken apart, an opaque node shows what is inside."""
        drawing = self._session.drawing
        boxes = () if drawing is None else drawing.scene.boxes
        if any(box.key == key and box.fold and not box.can_open for box in boxes):
            self._session.toggle_fold(key)
        else:
            self.open_inside(key)

    @Slot(str)
    def open_inside(self, key: str) -> None:
        """Shows what is inside an opaque node of the shown step, else of the one beside it, where that is known."""
        drawing, beside = self._session.drawing, self.panes.compared.canvas.scene
        inside = inside_of(drawing, key)
        if inside is None and beside is not None and key in beside.graph:
            inside = beside.graph.nodes[key].get("inside")
        if drawing is None or inside is None:
            return
        self.insides = [window for window in self.insides if window.isVisible()]
        window = InsideWindow(inside, Names(drawing.graph).of(key), self._appearance, self.window())
        self.insides.append(window)
        window.show()

    @Slot()
    def _close_insides(self) -> None:
        for window in self.insides:
            window.close()
        self.insides = []

    @Slot()
    def _show(self) -> None:
        drawing = self._session.drawing
        self._differing = differing_keys(drawing.scene) if drawing is not None else ()
        self._show_placeholder()
        has_ended = self._session.run_state == "ended"
        self.canvas.legend.set_note(note_on_colors(drawing, self._session.timeline, has_ended))
        self._look_anew(drawing)
        self._is_applying = True
        self.panes.show_session(self._session)
        self._is_applying = False
        self.bar.show_drawing()
        self._apply_selection(self._session.selection)
        self._show_place()

    @Slot()
    def _mark_failure(self) -> None:
        """Marks where an exception was raised in the shown step, or what stands for it."""
        drawing, event = self._session.drawing, self._session.exception
        stand_ins = self.navigation.navigator.stand_ins
        keys: tuple[str, ...] = ()
        if drawing is not None and event is not None and event.step == drawing.step.index and stand_ins is not None:
            keys = stand_ins.shown_for(failure_key(event), self.canvas.is_shown)
        self.canvas.set_failed(keys)

    @Slot()
    def _expect_anew(self) -> None:
        self._anew = self._session.options

    def _look_anew(self, drawing: Drawing | None) -> None:
        """Has the canvases take a first look at the drawing that was asked for as a whole."""
        if self._anew is not None and drawing is not None and drawing.question.options == self._anew:
            for canvas in self.panes.canvases:
                canvas.look_anew()
            self._anew = None
        elif self._anew != self._session.options:
            self._anew = None

    @Slot()
    def _show_arrangement(self) -> None:
        """One canvas or two at once; what is to be seen in the second comes with the next drawing."""
        if self.panes.are_two != self._session.options.side_by_side:
            self._show()

    @Slot()
    def next_difference(self) -> None:
        """Selects the next box or frame that differs and brings it into the middle, large enough to be read."""
        self._go_to_difference(1)

    @Slot()
    def previous_difference(self) -> None:
        self._go_to_difference(-1)

    def _go_to_difference(self, step: int) -> None:
        key = neighbour(self._differing, self.canvas.selected_key, step)
        self.canvas.select(key)
        if self.canvas.camera.scale < READABLE_SCALE / 2:
            self.canvas.zoom_to_selection()
        else:
            self.canvas.center_on(key)

    def _show_place(self) -> None:
        key = self.canvas.selected_key
        self.bar.set_place(self._differing.index(key) + 1 if key in self._differing else 0, len(self._differing))

    @Slot()
    def _show_placeholder(self) -> None:
        if self._session.drawing is None:
            self.canvas.placeholder = why_nothing(self._session)
            self.canvas.update()

    @Slot(str)
    def _on_selection(self, key: str) -> None:
        """What was chosen elsewhere may be out of sight; what was clicked here is not to move."""
        self._apply_selection(key)
        if not self._is_choosing:
            self.navigation.navigator.bring_into_sight(self.canvas.selected_key)

    @Slot(str)
    def _apply_selection(self, key: str) -> None:
        """Selects in the canvases what stands for the key: itself, the closed module it is in, or nothing."""
        scene = self.canvas.scene
        if self._is_applying or scene is None:
            return
        if LINK in key:
            links = [link_key(link) for link in scene.layout.view.links]
            self._mark_link(links.index(key) if key in links else -1)
        else:
            self._mark_box(self._box_key(key))

    @Slot(str)
    def _on_box_selected(self, box_key: str) -> None:
        if not self._is_applying:
            # First in both canvases: a parameter may have many boxes, and this one is meant.
            self._mark_box(box_key)
            self._choose(self._node_key(box_key))

    @Slot(int)
    def _on_link_selected(self, number: int) -> None:
        scene = self.canvas.scene
        if not self._is_applying and scene is not None and number >= 0:
            self._mark_link(number)
            self._choose(link_key(scene.layout.view.links[number]))

    def _choose(self, key: str) -> None:
        self._is_choosing = True
        self._session.select(key)
        self._is_choosing = False

    def _mark_box(self, box_key: str) -> None:
        self._is_applying = True
        for canvas in self.panes.canvases:
            canvas.select(box_key)
        self._is_applying = False
        self._show_place()

    def _mark_link(self, number: int) -> None:
        self._is_applying = True
        for canvas in self.panes.canvases:
            canvas.select_link(number)
        self._is_applying = False
        self._show_place()

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self.panes.dress(theme)
        self.bar.dress(theme)
        self.incidents.dress(theme)
        self.why_line.dress(theme)
        self.stop.dress(theme)
        self.navigation.dress(theme)
        self.replay_bar.dress(theme)

    def _box_key(self, key: str) -> str:
        scene = self.canvas.scene
        if scene is None or not key:
            return ""
        if self._node_key(self.canvas.selected_key) == key:
            return self.canvas.selected_key
        stand_ins = self.navigation.navigator.stand_ins
        return next(iter(stand_ins.of(key)), "") if stand_ins is not None else ""

    def _node_key(self, box_key: str) -> str:
        """A parameter drawn again is `name@call`: its node is its only member."""
        scene = self.canvas.scene
        row = -1 if scene is None else box_row(scene.layout, box_key)
        if scene is None or row < 0:
            return box_key
        box = scene.layout.view.boxes[row]
        return box.members[0] if box.kind == "parameter" else box_key
