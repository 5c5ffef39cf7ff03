"""The backward of the shown step replayed on the canvases, node by node in the order in which autograd runs them."""

import numpy as np
from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal, Slot

from gui.canvas.canvas import GraphCanvas
from gui.canvas.geometry import Ints
from gui.canvas.replay import Replay
from gui.canvas.rows import rows_of
from gui.course import Course
from gui.course_finder import CourseFinder
from gui.drawing import Drawing
from gui.navigator import Navigator
from gui.playback import Playback
from gui.session import Session

TICK_MSECS = 33
FOLLOWED_SPEED = 30
"""Nodes a second up to which the view follows the one that runs; faster, it would only flicker."""


class Replaying(QObject):
    """`course` is None while it is off, or not found yet. Another step begins anew; another layout changes nothing."""

    changed = Signal()

    def __init__(self, session: Session, navigator: Navigator, canvases: tuple[GraphCanvas, ...]) -> None:
        super().__init__(canvases[0])
        self._session = session
        self._navigator = navigator
        self._canvas = canvases[0]
        self.is_on = False
        self.course: Course | None = None
        self.playback = Playback()
        self._wished_pass = 0
        self._finder: CourseFinder | None = None
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MSECS)
        self._timer.timeout.connect(self._tick)
        session.drawing_changed.connect(self._find)
        session.tape_changed.connect(self._let_go)

    @property
    def running_key(self) -> str:
        """The node that runs, "" for none."""
        position = self.playback.position
        return self.course.order[position - 1] if self.course is not None and position else ""

    @Slot(bool)
    def set_on(self, is_on: bool) -> None:
        """Replays, or leaves the graph as it is."""
        self.is_on = is_on
        self._find()
        self._show()

    @Slot()
    def toggle_play(self) -> None:
        if self.playback.is_playing:
            self.playback.pause()
        else:
            self.playback.play()
            self._clock.start()
        self._show()

    @Slot()
    def forward(self) -> None:
        self._move(1)

    @Slot()
    def back(self) -> None:
        self._move(-1)

    @Slot()
    def first(self) -> None:
        self.go_to(1)

    @Slot()
    def last(self) -> None:
        self.go_to(self.playback.count)

    @Slot(int)
    def go_to(self, position: int) -> None:
        """Stands at a node, from 1; 0 for before all of them."""
        self._move(position - self.playback.position)

    @Slot(int)
    def choose_pass(self, pass_index: int) -> None:
        """Replays another pass of the step, from its beginning."""
        self._wished_pass = pass_index
        self.playback.start_over(0)
        self.course = None
        self._find()

    def set_speed(self, speed: int) -> None:
        """In nodes a second."""
        self.playback.speed = speed

    @Slot()
    def select_running(self) -> None:
        if self.running_key:
            self._session.reveal(self.running_key)

    def _move(self, step: int) -> None:
        self.playback.move(step)
        self._show()

    @Slot()
    def _tick(self) -> None:
        if self.playback.tick(self._clock.restart() / 1000) or not self.playback.is_playing:
            self._show()

    # -- the course

    @Slot()
    def _find(self) -> None:
        """Has the course of the drawn step found, unless it is known; while one is searched for, the next waits."""
        drawing = self._session.drawing
        if not self.is_on or drawing is None:
            if self.course is not None:
                self._set_course(None)
        elif self._is_of(drawing):
            self._show()
        elif self._finder is None:
            self._finder = CourseFinder(drawing, self._wished_pass, self)
            self._finder.found.connect(self._on_found)
            self._finder.finished.connect(self._on_finished)
            self._finder.start()

    def _is_of(self, drawing: Drawing) -> bool:
        course = self.course
        return course is not None and (course.step, course.layout, course.graph) == (
            drawing.step.index,
            drawing.scene.layout,
            drawing.graph,
        )

    @Slot(object)
    def _on_found(self, course: Course) -> None:
        finder = self._finder
        if self.is_on and finder is not None and self.sender() is finder and self._is_asked_for(finder):
            self._set_course(course)

    @Slot()
    def _on_finished(self) -> None:
        finder, self._finder = self._finder, None
        if finder is None or self.sender() is not finder:
            return
        finder.deleteLater()
        if not self._is_asked_for(finder):
            self._find()

    def _is_asked_for(self, finder: CourseFinder) -> bool:
        return finder.drawing is self._session.drawing and finder.pass_index == self._wished_pass

    def _set_course(self, course: Course | None) -> None:
        before, self.course = self.course, course
        is_same = (
            before is not None and course is not None and (before.step, before.order) == (course.step, course.order)
        )
        if not is_same:
            self.playback.start_over(0 if course is None else len(course))
        self._show()

    @Slot()
    def _let_go(self) -> None:
        """Of everything that belongs to the tape, its thread too."""
        finder, self._finder = self._finder, None
        if finder is not None:
            finder.wait()
            finder.deleteLater()
        self._wished_pass = 0
        self._set_course(None)
        if self.is_on:
            self._find()

    # -- on the canvas

    def _show(self) -> None:
        if self.playback.is_playing != self._timer.isActive():
            self._timer.start() if self.playback.is_playing else self._timer.stop()
        replay = self._replay()
        self._canvas.set_replay(replay)
        is_followed = not self.playback.is_playing or self.playback.speed <= FOLLOWED_SPEED
        if replay is not None and is_followed:
            self._bring_into_sight(replay)
        self.changed.emit()

    def _replay(self) -> Replay | None:
        course, position = self.course, self.playback.position
        if course is None or not position:
            return None
        boxes, groups = course.rows_at(position), course.rows[:0]
        if not len(boxes):
            boxes, groups = self._stand_ins(course)
        return Replay(course.layout, course.shares(position), boxes, groups)

    def _stand_ins(self, course: Course) -> tuple[Ints, Ints]:
        """Boxes and frames that are drawn for a node that is hidden: those of its call."""
        stand_ins, rows = self._navigator.stand_ins, rows_of(course.layout)
        shown = () if stand_ins is None else stand_ins.of(self.running_key)
        boxes = [rows.boxes[key] for key in shown if key in rows.boxes]
        groups = [rows.groups[key] for key in shown if key in rows.groups]
        return np.array(boxes, np.int64), np.array(groups, np.int64)

    def _bring_into_sight(self, replay: Replay) -> None:
        view = replay.layout.view
        if len(replay.boxes):
            self._navigator.bring_into_sight(view.boxes[int(replay.boxes[0])].key)
        elif len(replay.groups):
            self._navigator.bring_into_sight(view.groups[int(replay.groups[0])].key)
