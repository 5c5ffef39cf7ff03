"""The scalars of the run over its steps, the strip of structures under them, both linked to the shown step."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from gui import format as fmt
from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.scalar_list import ScalarList
from gui.docks.span import Span
from gui.docks.structure_strip import StructureStrip
from gui.incidents import headline
from gui.models.scalars import ScalarModel
from gui.session import Session
from gui.theme import Theme

if TYPE_CHECKING:
    from gui.docks.plot_stack import PlotStack

REDRAW_MSECS = 60
EDGE_PX = 10


class ScalarsDock(Dock):
    """`stack`, the plots, comes with the first tape: pyqtgraph takes a fifth of a second to import."""

    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self._theme: Theme = appearance.theme
        self.model = ScalarModel()
        self.stack: PlotStack | None = None
        self.strip = StructureStrip(appearance.theme)
        self._list = ScalarList(self.model, appearance.theme)
        self._column = QVBoxLayout()
        super().__init__("scalars", ScalarsDock.tr("Scalars"), self._build())
        self.model.setParent(self)
        self._redraw_timer = QTimer(self)
        self._redraw_timer.setSingleShot(True)
        self._redraw_timer.setInterval(REDRAW_MSECS)
        self._dress(appearance.theme)
        self._connect(appearance)

    def _build(self) -> QWidget:
        content = QWidget()
        self._column.setContentsMargins(0, 0, EDGE_PX, 6)
        self._column.setSpacing(2)
        self._column.addStretch()
        self._column.addWidget(self.strip)
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._list)
        row.addLayout(self._column, 1)
        return content

    def _connect(self, appearance: Appearance) -> None:
        appearance.theme_changed.connect(self._dress)
        self.model.shown_changed.connect(self._rebuild)
        self._redraw_timer.timeout.connect(self._redraw)
        self.strip.step_picked.connect(self._session.go_to)
        self.strip.menu_requested.connect(self._open_menu)
        self._session.pinned_changed.connect(self._mark_pinned)
        self._session.found_steps_changed.connect(self._mark_found)
        self._session.tape_changed.connect(self._start_over)
        self._session.steps_appended.connect(self._grow)
        self._session.scalars_appended.connect(self._grow)
        self._session.step_changed.connect(self._move_cursor)
        self._session.incidents_changed.connect(self._mark_incidents)
        self._session.happenings_changed.connect(self._mark_happenings)

    @Slot()
    def _start_over(self) -> None:
        if self.stack is None and self._session.tape is not None:
            self.stack = self._make_stack()
        if self.stack is not None:
            self.stack.start_over()
        self.model.clear()
        self._grow()

    @Slot()
    def _mark_pinned(self) -> None:
        self.strip.set_pinned(self._session.pinned_step)

    @Slot()
    def _mark_found(self) -> None:
        self.strip.set_found(self._session.found_steps)

    @Slot(int, QPoint)
    def _open_menu(self, step: int, place: QPoint) -> None:
        menu = self.step_menu(step)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def step_menu(self, step: int) -> QMenu:
        """What can be done with a step of the strip."""
        menu, session = QMenu(self), self._session
        menu.addAction(self.tr("Show step {0}").format(fmt.count(step))).triggered.connect(lambda: session.go_to(step))
        if session.pinned_step == step:
            text, pinned = self.tr("Stop comparing with step {0}"), None
        else:
            text, pinned = self.tr("Compare with step {0}"), step
        menu.addAction(text.format(fmt.count(step))).triggered.connect(lambda: session.pin(pinned))
        return menu

    @Slot()
    def _mark_incidents(self) -> None:
        sentences: dict[int, str] = {}
        last = len(self._session.timeline) - 1
        for event in self._session.incidents:
            sentences.setdefault(min(event.step, last), headline(event))
        self.strip.set_incidents(sentences)

    @Slot()
    def _mark_happenings(self) -> None:
        self.strip.set_happenings(self._session.happenings)

    def _make_stack(self) -> "PlotStack":
        from gui.docks.plot_stack import PlotStack

        stack = PlotStack(self._theme)
        stack.dress(self._theme, self.model.color)
        stack.scrubbed.connect(self._scrub)
        stack.view_changed.connect(self._redraw_soon)
        self._column.insertWidget(0, stack, 1)
        return stack

    @Slot()
    def _grow(self) -> None:
        self.model.add(self._session.series)
        self._redraw_soon()

    @Slot()
    def _redraw_soon(self) -> None:
        if not self._redraw_timer.isActive():
            self._redraw_timer.start()

    @Slot(int)
    def _move_cursor(self, step: int) -> None:
        if self._session.follows_live and self._redraw_timer.isActive():
            return  # The redraw to come moves the cursor as well; two paintings would cost twice.
        self._place_cursor(step)

    def _place_cursor(self, step: int) -> None:
        if self.stack is not None:
            self.stack.set_cursor(step)
        self.strip.set_step(step)
        values = {name: series.at(step) for name, series in self._session.series.items()}
        self.model.set_values({name: value for name, value in values.items() if value is not None})

    @Slot()
    def _rebuild(self) -> None:
        if self.stack is not None:
            self.stack.set_names(self.model.shown, self.model.color)
            self._redraw()

    @Slot()
    def _redraw(self) -> None:
        count = len(self._session.timeline)
        if self.stack is not None:
            self.stack.draw(self._session.series, count)
        self._place_cursor(self._session.step)
        self.strip.set_timeline(self._session.timeline)
        self.strip.set_span(self._span(count))

    def _span(self, count: int) -> Span:
        """Where the plot has its steps; all steps over the whole strip where nothing is plotted."""
        span = self.stack.span if self.stack is not None else None
        if span is None:
            return Span(-0.5, max(count - 0.5, 1.5), EDGE_PX, self.strip.width())
        return Span(*span)

    @Slot(float)
    def _scrub(self, place: float) -> None:
        if len(self._session.timeline):
            self._session.go_to(round(place))

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self.widget().setStyleSheet(f"QWidget {{ background: {theme.plot_background}; }}")
        self.model.set_colors(theme.plot_colors)
        self.strip.set_theme(theme)
        self._list.set_theme(theme)
        if self.stack is not None:
            self.stack.dress(theme, self.model.color)
