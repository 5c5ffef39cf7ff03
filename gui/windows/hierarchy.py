"""The actions that open and close modules, and take folds apart; what each makes of what is open is `gui.hierarchy`."""

from PySide6.QtCore import QObject, Slot

from gui import hierarchy
from gui.actions import DEPTH, Actions
from gui.canvas.canvas import GraphCanvas
from gui.drawing import inside_of
from gui.session import Session
from gui.settings import Settings


class HierarchyCommands(QObject):
    """Connects the actions; `settings` remember whether repeats are folded."""

    def __init__(
        self, actions: Actions, session: Session, canvas: GraphCanvas, settings: Settings, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._actions = actions
        self._session = session
        self._canvas = canvas
        self._settings = settings
        actions["toggle_call"].triggered.connect(self._toggle)
        actions["open_call"].triggered.connect(self._open_or_zoom_in)
        actions["close_call"].triggered.connect(self._close_or_zoom_out)
        actions["open_further"].triggered.connect(self._open_further)
        actions["open_below"].triggered.connect(self._open_below)
        actions["close_around"].triggered.connect(self._close_around)
        for name in actions.names(DEPTH):
            actions[name].triggered.connect(self._open_to_depth)
        actions["open_all"].triggered.connect(session.open_all_calls)
        actions["close_all"].triggered.connect(session.close_all_calls)
        actions["default_depth"].triggered.connect(session.open_default_calls)
        actions["toggle_fold"].triggered.connect(self._toggle_fold)
        actions["fold_repeats"].setChecked(session.options.folds_repeats)
        actions["fold_repeats"].toggled.connect(self._fold_repeats)
        session.options_changed.connect(self._show_options)

    @Slot()
    def _toggle(self) -> None:
        session = self._session
        if inside_of(session.drawing, session.selection) is not None:
            self._canvas.activate(session.selection)
        else:
            session.toggle_call(session.selection)

    @Slot()
    def _open_or_zoom_in(self) -> None:
        drawing, key = self._session.drawing, self._session.selection
        if drawing is not None and hierarchy.can_open(drawing, key):
            self._session.toggle_call(key)
        else:
            self._canvas.zoom_in()

    @Slot()
    def _close_or_zoom_out(self) -> None:
        drawing, key = self._session.drawing, self._session.selection
        if drawing is not None and hierarchy.can_close(drawing, key):
            self._session.toggle_call(key)
        else:
            self._canvas.zoom_out()

    @Slot()
    def _open_further(self) -> None:
        if self._session.drawing is not None:
            opened = hierarchy.further(self._session.drawing, self._session.selection)
            self._session.set_options(open_calls=opened)

    @Slot()
    def _open_below(self) -> None:
        if self._session.drawing is not None:
            opened = hierarchy.with_all_below(self._session.drawing, self._session.selection)
            self._session.set_options(open_calls=opened)

    @Slot()
    def _close_around(self) -> None:
        """Closes the frame around the selection and selects it, so that doing so again goes on outwards."""
        session = self._session
        frame = "" if session.drawing is None else hierarchy.frame_around(session.drawing, session.selection)
        if frame:
            session.toggle_call(frame)
            session.select(frame)

    @Slot()
    def _open_to_depth(self) -> None:
        self._session.open_to_depth(int(self.sender().objectName().removeprefix(DEPTH)))

    @Slot()
    def _toggle_fold(self) -> None:
        self._session.toggle_fold(self._session.selection)

    @Slot(bool)
    def _fold_repeats(self, is_on: bool) -> None:
        self._settings.folds_repeats = is_on
        self._session.set_options(folds_repeats=is_on)

    @Slot()
    def _show_options(self) -> None:
        """The options may change without a click: a layout that was given up takes them back."""
        self._actions["fold_repeats"].setChecked(self._session.options.folds_repeats)
