"""Where the user looks: brings things into view, goes back and forward, and marks what is connected."""

from PySide6.QtCore import QObject, Signal, Slot

from gui.canvas.canvas import GraphCanvas
from gui.canvas.flight import Flight
from gui.canvas.highlight import Highlight, highlight_of
from gui.canvas.look import camera_for, camera_showing, head_of, look_at
from gui.drawing import Drawing
from gui.marks import DOWNSTREAM, FOUND, NO_MARKS, PATH, UPSTREAM, reach, text_of
from gui.names import Names
from gui.session import Session
from gui.view_history import Look, ViewHistory, ViewState
from tracer.model.stand_ins import StandIns


class Navigator(QObject):
    """Between the session, which knows what is shown, and the canvases, which know where they look; the first leads.

    Made after whatever gives the canvas its scenes: it puts marks on them and moves the camera over them.
    """

    told = Signal(str)  # what is marked, in one line; "" for nothing
    history_changed = Signal()

    def __init__(self, session: Session, canvases: tuple[GraphCanvas, ...]) -> None:
        canvas = canvases[0]
        super().__init__(canvas)
        self._session = session
        self._canvases = canvases
        self._canvas = canvas
        self._flight = Flight(canvas)
        self._history = ViewHistory()
        self._stand_ins: StandIns | None = None
        self._stands_for: tuple[object, object] = (None, None)
        self._wished_key = ""
        self._opened_for = frozenset[str]()
        self._wished_look: Look | None = None
        self._is_travelling = False
        self._path_from = ""
        self._last_told = ""
        self._focus = session.options.focus
        self._connect()

    def _connect(self) -> None:
        session = self._session
        session.leaving.connect(self.leave)
        session.revealed.connect(self._reveal)
        session.drawing_changed.connect(self._on_drawing)
        session.marks_changed.connect(self._show_marks)
        session.options_changed.connect(self._on_options)
        session.tape_changed.connect(self._start_over)
        session.selection_changed.connect(self._on_selected)
        for canvas in self._canvases:
            canvas.leaving.connect(self.leave)
            canvas.second_chosen.connect(self.mark_path_to)
            canvas.back_requested.connect(self.back)
            canvas.forward_requested.connect(self.forward)

    @property
    def stand_ins(self) -> StandIns | None:
        """What the canvas draws for what, None without a scene."""
        scene = self._canvas.scene
        if scene is None:
            return None
        if self._stand_ins is None or self._stands_for != (scene.layout, scene.graph):
            self._stands_for = scene.layout, scene.graph
            self._stand_ins = StandIns(scene.layout.view, scene.graph, scene.calls)
        return self._stand_ins

    # -- bringing into view

    @Slot(str)
    def _reveal(self, key: str) -> None:
        """Opens what is around a key, and centres on it once it is drawn."""
        self._wished_look, self._opened_for = None, frozenset()
        self._wished_key = key
        self._go_on()

    @Slot()
    def _on_options(self) -> None:
        """What a focus is set on, or was, comes into view."""
        before, self._focus = self._focus, self._session.options.focus
        kept = self._focus or before
        if self._focus != before and kept is not None and not self._is_travelling:
            self._wished_look, self._opened_for = None, frozenset()
            self._wished_key = kept.key

    @Slot()
    def _on_drawing(self) -> None:
        marks = self._session.marks
        if marks and marks.kind != FOUND:
            self._mark(marks.kind, marks.origin)
        self._show_marks()
        self._go_on()

    def _go_on(self) -> None:
        """Takes up what waits for a drawing of the present options."""
        drawing = self._session.drawing
        if drawing is None or drawing.question.options != self._session.options:
            return
        if self._wished_look is not None:
            look, self._wished_look = self._wished_look, None
            self._look(look)
        elif self._wished_key and not self._open_around(drawing, self._wished_key):
            key, self._wished_key = self._wished_key, ""
            self._center_on(key)

    def _open_around(self, drawing: Drawing, key: str) -> bool:
        """Asks for a drawing with the calls open in which a key lies; whether one has to be waited for."""
        stand_ins = self.stand_ins
        closed = frozenset[str]() if stand_ins is None else stand_ins.to_open(key) - drawing.open_calls
        if not closed or closed <= self._opened_for:
            return False
        self._opened_for |= closed
        self._set_options(open_calls=drawing.open_calls | closed)
        return True

    def _center_on(self, key: str) -> None:
        stand_ins = self.stand_ins
        shown = () if stand_ins is None else stand_ins.of(key)
        rect = self._canvas.rect_of(shown[0]) if shown else None
        if rect is not None:
            self._flight.to(camera_showing(rect, self._canvas.camera, self._viewport()))

    def bring_into_sight(self, box_key: str) -> None:
        """Pans by as little as shows a box or frame, of a larger one its head."""
        rect = None if self._is_travelling else self._canvas.rect_of(box_key)
        if rect is not None:
            camera = self._flight.destination
            seen = camera.revealing(head_of(rect, camera, self._viewport()), self._viewport())
            if seen != camera:
                self._flight.to(seen)

    def _viewport(self) -> tuple[float, float]:
        return float(self._canvas.width()), float(self._canvas.height())

    # -- back and forward

    @property
    def can_go_back(self) -> bool:
        return bool(self._history.past)

    @property
    def can_go_forward(self) -> bool:
        return bool(self._history.future)

    @Slot()
    def leave(self) -> None:
        """Remembers this view: the user is about to jump to another."""
        if not self._is_travelling and self._canvas.scene is not None:
            self._history.leave(self._view())
            self.history_changed.emit()

    @Slot()
    def back(self) -> None:
        self._travel(self._history.back(self._view()))

    @Slot()
    def forward(self) -> None:
        self._travel(self._history.forward(self._view()))

    def _view(self) -> ViewState:
        scene, options = self._canvas.scene, self._session.options
        look = Look() if scene is None else look_at(scene.layout, self._flight.destination, self._viewport())
        return ViewState(look, options.open_calls, options.unfolded, options.focus, self._session.selection)

    def _travel(self, view: ViewState | None) -> None:
        self.history_changed.emit()
        if view is None:
            return
        self._wished_key, self._wished_look = "", view.look
        self._is_travelling = True
        self._session.select(view.selection)
        self._is_travelling = False
        self._set_options(open_calls=view.open_calls, unfolded=view.unfolded, focus=view.focus)
        self._go_on()

    def _set_options(self, **changes: object) -> None:
        """Without a new entry in the history."""
        was_travelling, self._is_travelling = self._is_travelling, True
        self._session.set_options(**changes)
        self._is_travelling = was_travelling

    def _look(self, look: Look) -> None:
        scene = self._canvas.scene
        camera = None if scene is None else camera_for(look, scene.layout, self._viewport())
        if camera is not None:
            self._flight.to(camera)

    @Slot()
    def _start_over(self) -> None:
        self._history.clear()
        self._wished_key, self._wished_look, self._stand_ins = "", None, None
        self._focus = self._session.options.focus
        self.history_changed.emit()

    # -- marks

    @Slot()
    def mark_upstream(self) -> None:
        """Marks all that the selection was made of."""
        self._mark(UPSTREAM, (self._session.selection,))

    @Slot()
    def mark_downstream(self) -> None:
        """Marks all that was made of the selection."""
        self._mark(DOWNSTREAM, (self._session.selection,))

    @Slot(str)
    def mark_path_to(self, key: str) -> None:
        """Marks what lies between the selection and something else."""
        if key and self._session.selection:
            self._mark(PATH, (self._session.selection, key))

    @Slot()
    def ask_for_end(self) -> None:
        """The next box that is selected is the other end of a path."""
        self._path_from = self._session.selection
        self._tell(self.tr("Click the other end of the path"))

    @Slot(str)
    def _on_selected(self, key: str) -> None:
        start, self._path_from = self._path_from, ""
        if start and key:
            self._mark(PATH, (start, key))

    @Slot()
    def clear_marks(self) -> None:
        self._session.mark(NO_MARKS)

    def _mark(self, kind: str, origin: tuple[str, ...]) -> None:
        scene, stand_ins = self._canvas.scene, self.stand_ins
        if scene is not None and stand_ins is not None and all(origin):
            self._session.mark(reach(scene, stand_ins, kind, origin))

    @Slot()
    def _show_marks(self) -> None:
        scene, stand_ins, marks = self._canvas.scene, None, self._session.marks
        if scene is not None and marks:
            stand_ins = self.stand_ins
        if scene is None or stand_ins is None:
            self._set_highlight(None)
            self._tell("")
            return
        self._set_highlight(highlight_of(scene, stand_ins, marks))
        if marks.kind == FOUND:
            self._tell("")
        else:
            names = Names(scene.graph)
            self._tell(text_of(marks, tuple(map(names.of, marks.origin))))

    def _tell(self, text: str) -> None:
        if text != self._last_told:
            self._last_told = text
            self.told.emit(text)

    def _set_highlight(self, highlight: Highlight | None) -> None:
        for canvas in self._canvases:
            canvas.set_highlight(highlight)
