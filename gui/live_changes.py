"""What the user changes of a paused training, with undo: sent as commands, confirmed or refused by its tape."""

from collections import deque
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoCommand, QUndoStack

from gui import format as fmt
from gui.levels import sampling_text
from gui.live_state import Group, LiveState, Value
from gui.run_control import RunControl
from gui.session import Session
from gui.stops import CHANGES, names_text, value_text
from tracer import Event
from tracer.options import Sampling

MOST_BYTES = 40_000
"""A command's line has a limit; names that would be longer together are told by their modules'."""


class LiveChanges(QObject):
    """`state` is what the tape says; `undo_stack` has what was done since the training stopped, and is emptied when it
    goes on. A change that the training refuses leaves the stack, and `refused` says why."""

    changed = Signal()
    refused = Signal(str)  # one sentence
    made = Signal(str)  # what a change of the user's came to, one sentence

    def __init__(self, session: Session, control: RunControl, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._control = control
        self.state = LiveState()
        self.undo_stack = QUndoStack(self)
        self._awaited: deque[tuple[_Change, bool]] = deque()
        session.tape_changed.connect(self._start_over)
        session.run_state_changed.connect(self._on_run_state)
        session.events_appended.connect(self._on_events)
        control.availability_changed.connect(self.changed)

    @property
    def can_change(self) -> bool:
        return self._session.run_state == "paused" and self._control.is_available

    def set_hyperparameter(self, group: Group, name: str, value: Value) -> None:
        """Has a group's hyperparameter changed; nothing where it is so already."""
        before, where = group.values[name], (group.optimizer, group.number, name)
        if value != before:
            self._push(
                _Change(
                    "hyperparameter",
                    f"{name} {value_text(before)} → {value_text(value)}",
                    lambda: self._control.set_hyperparameter(*where, value),
                    lambda: self._control.set_hyperparameter(*where, before),
                    self._awaited,
                )
            )

    def set_trainable(self, names: Sequence[str], is_trainable: bool) -> None:
        """Has parameters, or those of modules, frozen or unfrozen."""
        verb = self.tr("unfreezing") if is_trainable else self.tr("freezing")
        change = _Change(
            "trainable",
            f"{verb} {names_text(list(names))}",
            lambda: self._control.set_trainable(change.names, is_trainable),
            lambda: self._control.set_trainable(change.names, not is_trainable),
            self._awaited,
        )
        change.names, change.chosen = tuple(names), names_text(list(names))
        self._push(change)

    def set_sampling(self, sampling: Sampling) -> None:
        """Has something else recorded from the next step on."""
        before = self._session.sampling
        if sampling != before:
            self._push(
                _Change(
                    "level",
                    self.tr("recording level “{0}”").format(sampling_text(sampling)),
                    lambda: self._control.set_level(sampling.level, sampling.every),
                    lambda: self._control.set_level(before.level, before.every),
                    self._awaited,
                )
            )

    def _push(self, change: "_Change") -> None:
        if self.can_change:
            self.undo_stack.push(change)

    @Slot()
    def _start_over(self) -> None:
        self.state = LiveState()
        self._forget()
        self.changed.emit()

    @Slot(str)
    def _on_run_state(self, run_state: str) -> None:
        if run_state != "paused":
            self._forget()
        self.changed.emit()

    def _forget(self) -> None:
        self._awaited.clear()
        self.undo_stack.clear()

    @Slot(object)
    def _on_events(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if event.kind == "refused":
                self._on_refused(event)
            elif event.kind in CHANGES and self._awaited and self._awaited[0][0].kind == event.kind:
                change = self._awaited.popleft()[0]
                text = self._outcome(change, event)
                change.confirm(event)
                if text:
                    self.made.emit(text)
        if self.state.append(events):
            self.changed.emit()

    def _outcome(self, change: "_Change", event: Event) -> str:
        """Of parameters, as what the user chose was named; nothing of what is seen where it was typed."""
        if event.kind != "trainable":
            return ""
        count = fmt.plural(len(event.data.get("parameters", ())), "parameter")
        told = self.tr("{0} is trained again: {1}") if event.data.get("after") else self.tr("{0} is frozen: {1}")
        return told.format(change.chosen, count)

    def _on_refused(self, event: Event) -> None:
        """A change that was not made is nothing to undo."""
        if self._awaited and self._awaited[0][0].kind == event.data.get("command"):
            change, was_done = self._awaited.popleft()
            stack = self.undo_stack
            change.setObsolete(True)  # the stack drops it when it comes to it
            if was_done and stack.index() and stack.command(stack.index() - 1) is change:
                stack.undo()
        self.refused.emit(str(event.data.get("error", "")))


class _Change(QUndoCommand):
    """Sends a command when done, and its opposite when undone; `awaited` gets who is to be answered, in order."""

    def __init__(
        self,
        kind: str,
        text: str,
        send: Callable[[], bool],
        send_back: Callable[[], bool],
        awaited: "deque[tuple[_Change, bool]]",
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.names: tuple[str, ...] = ()
        self.chosen = ""  # how the user named these
        self._send, self._send_back = send, send_back
        self._awaited = awaited

    def redo(self) -> None:
        self._ask(self._send, True)

    def undo(self) -> None:
        self._ask(self._send_back, False)

    def confirm(self, event: Event) -> None:
        """Takes in what was really changed: of a module whose parameters were frozen in part, only the others."""
        names = tuple(map(str, event.data.get("parameters", ())))
        if self.names and sum(map(len, names)) + 4 * len(names) < MOST_BYTES:
            self.names = names

    def _ask(self, send: Callable[[], bool], is_redo: bool) -> None:
        if send():
            self._awaited.append((self, is_redo))
        else:
            self.setObsolete(True)
