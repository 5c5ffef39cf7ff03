"""All ways through the graph of a page, and their actions: search, breadcrumbs, back and forward, highlights, focus."""

from PySide6.QtCore import QObject, QTimer, Slot

from gui.actions import Actions
from gui.canvas.canvas import GraphCanvas
from gui.crumbs import crumbs_of, frame_at_middle
from gui.finder import Finder
from gui.focusing import Focusing
from gui.navigator import Navigator
from gui.session import Session
from gui.theme import Theme
from gui.windows.breadcrumbs import Breadcrumbs
from gui.windows.focus_bar import FocusBar
from gui.windows.search_bar import SearchBar

CRUMBS_MSECS = 60
"""After the camera came to rest: while it moves, nobody reads where it is."""


class Navigation(QObject):
    """Makes the widgets, of which the page shows `breadcrumbs` and `focus_bar`, and lets the actions reach them."""

    def __init__(
        self, session: Session, actions: Actions, canvases: tuple[GraphCanvas, ...], theme: Theme, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._actions = actions
        self._canvas = canvases[0]
        self.navigator = Navigator(session, canvases)
        self.finder = Finder(session, self)
        self.focusing = Focusing(session, self)
        self.search_bar = SearchBar(self.finder, session, self._canvas, actions, theme)
        self.focus_bar = FocusBar(session, actions, theme)
        self.breadcrumbs = Breadcrumbs(theme)
        self._crumbs_due = QTimer(self)
        self._crumbs_due.setSingleShot(True)
        self._crumbs_due.setInterval(CRUMBS_MSECS)
        self._connect()
        self._connect_actions()
        self._show_ways()

    def _connect(self) -> None:
        session, navigator = self._session, self.navigator
        session.selection_changed.connect(self._crumbs_due.start)
        session.drawing_changed.connect(self._crumbs_due.start)
        session.tape_changed.connect(self.search_bar.dismiss)
        self._canvas.camera_changed.connect(self._crumbs_due.start)
        self._crumbs_due.timeout.connect(self._show_crumbs)
        self._canvas.highlight_dismissed.connect(self._dismiss)
        self.breadcrumbs.chosen.connect(session.reveal)
        self.focus_bar.direction_chosen.connect(self.focusing.turn_to)
        navigator.history_changed.connect(self._show_ways)

    def _connect_actions(self) -> None:
        actions, navigator, focusing = self._actions, self.navigator, self.focusing
        actions["find"].triggered.connect(self.search_bar.open)
        actions["find_steps"].triggered.connect(self.search_bar.open_for_steps)
        actions["find_next"].triggered.connect(self._find_next)
        actions["find_previous"].triggered.connect(self._find_previous)
        actions["back"].triggered.connect(navigator.back)
        actions["forward"].triggered.connect(navigator.forward)
        actions["mark_upstream"].triggered.connect(navigator.mark_upstream)
        actions["mark_downstream"].triggered.connect(navigator.mark_downstream)
        actions["mark_path"].triggered.connect(navigator.ask_for_end)
        actions["clear_marks"].triggered.connect(self._dismiss)
        actions["focus"].triggered.connect(focusing.start)
        actions["focus_more"].triggered.connect(focusing.widen)
        actions["focus_less"].triggered.connect(focusing.narrow)
        actions["focus_turn"].triggered.connect(focusing.turn)
        actions["leave_focus"].triggered.connect(focusing.leave)

    @Slot()
    def _find_next(self) -> None:
        self._ensure_open()
        self.finder.next()

    @Slot()
    def _find_previous(self) -> None:
        self._ensure_open()
        self.finder.previous()

    def _ensure_open(self) -> None:
        if not self.finder.is_open:
            self.search_bar.open()

    def escape(self) -> bool:
        """What Escape does that had nothing to clear in the graph; whether it did anything."""
        if self.finder.is_open:
            self.search_bar.dismiss()
            return True
        is_focused = self._session.options.focus is not None
        self.focusing.leave()
        return is_focused

    @Slot()
    def _dismiss(self) -> None:
        """What is highlighted, and the search that did it."""
        if self.finder.is_open and not self._session.marks.dims_others:
            self.search_bar.dismiss()
        self.navigator.clear_marks()

    @Slot()
    def _show_ways(self) -> None:
        self._actions["back"].setEnabled(self.navigator.can_go_back)
        self._actions["forward"].setEnabled(self.navigator.can_go_forward)

    @Slot()
    def _show_crumbs(self) -> None:
        """Of the selection, without one of what the middle of the view lies in."""
        scene, stand_ins, canvas = self._canvas.scene, self.navigator.stand_ins, self._canvas
        if scene is None or stand_ins is None:
            self.breadcrumbs.show_crumbs(())
            return
        viewport = float(canvas.width()), float(canvas.height())
        crumbs = crumbs_of(scene, stand_ins, self._session.selection)
        middle = "" if crumbs else frame_at_middle(scene.layout, canvas.camera, viewport)
        self.breadcrumbs.show_crumbs(crumbs or crumbs_of(scene, stand_ins, middle))

    def dress(self, theme: Theme) -> None:
        for widget in (self.search_bar, self.focus_bar, self.breadcrumbs):
            widget.dress(theme)
