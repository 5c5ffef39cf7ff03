"""The number of the shown step, to read and to type: "Step [41] of 1,204"."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QValidator
from PySide6.QtWidgets import QHBoxLayout, QSpinBox, QWidget

from gui import format as fmt
from gui.plain_text import PlainLabel
from gui.session import Session


class StepBox(QWidget):
    """Steps count from 0, so that the last of n is n − 1; the label tells that last one."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.spin = StepSpin(self.tr("Shown step"), 84)
        self._total = PlainLabel()
        self._total.setMinimumWidth(self._total.fontMetrics().horizontalAdvance("of 00,000"))
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 0, 6, 0)
        row.setSpacing(6)
        row.addWidget(PlainLabel(self.tr("Step")))
        row.addWidget(self.spin)
        row.addWidget(self._total)
        self.spin.valueChanged.connect(self._on_typed)
        session.tape_changed.connect(self._show)
        session.step_changed.connect(self._show)
        session.steps_appended.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        last = len(self._session.timeline) - 1
        # While the user types, the number under the cursor must not change.
        with QSignalBlocker(self.spin):
            self.spin.setRange(0, max(last, 0))
            if not self.spin.hasFocus() or not self._session.follows_live:
                self.spin.setValue(max(self._session.step, 0))
        self.spin.setEnabled(last >= 0)
        self._total.setText(self.tr("of {0}").format(fmt.count(last)) if last >= 0 else "")

    @Slot(int)
    def _on_typed(self, step: int) -> None:
        if step != self._session.step:
            self._session.go_to(step)


class StepSpin(QSpinBox):
    """A number of a step, to read and to type; told when the user has typed it. One that is not there may be typed
    too, and is refused in one sentence."""

    refused = Signal(str)
    left = Signal()  # the user is done with typing: Left and Right are the steps' again

    def __init__(self, name: str, width_px: int) -> None:
        super().__init__()
        self.setGroupSeparatorShown(True)
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFixedWidth(width_px)
        # No buttons: the toolbar has them. Under a style sheet `ButtonSymbols.NoButtons` leaves no room for the text.
        self.setStyleSheet("QSpinBox::up-button, QSpinBox::down-button { width: 0; border: 0; }")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName(name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.hasAcceptableInput():
            self.left.emit()

    def validate(self, text: str, position: int) -> object:
        """Without this, digits that lead too far are swallowed, and half a number is taken for all of it."""
        state, text, position = super().validate(text, position)
        is_too_far = state == QValidator.State.Invalid and self._number_in(text) is not None
        return QValidator.State.Intermediate if is_too_far else state, text, position

    def fixup(self, text: str) -> str:
        """What comes before a number that cannot be taken is set back."""
        if self._number_in(text) is not None:
            last = fmt.count(self.maximum())
            self.refused.emit(
                self.tr("The run has steps 0 to {0}").format(last)
                if self.maximum()
                else self.tr("The run has step 0 only")
            )
        return str(super().fixup(text))

    def _number_in(self, text: str) -> int | None:
        digits = text.replace(self.locale().groupSeparator(), "").strip()
        return int(digits) if digits.isdecimal() else None
