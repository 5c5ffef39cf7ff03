"""The line over the graph: which structure is shown, which step it is compared with, and how much differs."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from gui import format as fmt
from gui.actions import Actions
from gui.differences import verdict
from gui.drawing import Drawing
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.theme import Swatch, Theme
from gui.windows.elided_label import ElidedLabel
from gui.windows.step_box import StepSpin

SPIN_PX = 76
ROOMY_PX = 600
"""Narrower than this, the words beside the numbers give way."""
WAYS = 5
"""How much gives way where there is no room: nothing, the words, the single counts, the way from one difference to the
next, the choice of the step to compare with."""
NO_STEP = -1


class ChangesBar(QWidget):
    """Chips count nodes; `set_place` tells which of the canvas's differences is looked at."""

    requested = Signal()

    def __init__(self, session: Session, actions: Actions, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("changes_bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._count = 0
        self._counted: tuple[str, ...] = ()
        self.details = ElidedLabel()
        self.verdict, self._unit, self.place = PlainLabel(), PlainLabel(self.tr("nodes")), PlainLabel()
        self.chips = {name: _chip() for name in ("added", "removed", "changed")}
        self.total = _chip()
        self.spin = StepSpin(self.tr("Step to compare with"), SPIN_PX)
        self.spin.setSpecialValueText("–")
        self.spin.setToolTip(self.tr("Compare with this step, whichever is shown"))
        self._place_all(actions)
        self.setFixedHeight(36)
        self.setMinimumWidth(1)
        self.spin.valueChanged.connect(self._on_typed)
        for chip in (*self.chips.values(), self.total):
            chip.clicked.connect(self.requested)
        self.dress(theme)

    def _place_all(self, actions: Actions) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 6, 4)
        row.setSpacing(5)
        row.addWidget(self.details, 1)
        row.addStretch()
        for widget in (*self.chips.values(), self.total, self._unit, self.verdict, self.spin):
            row.addWidget(widget)
        self._pin = _button(actions["compare"])
        row.addWidget(self._pin)
        self._way = (_button(actions["previous_difference"]), self.place, _button(actions["next_difference"]))
        row.addSpacing(6)
        for widget in self._way:
            row.addWidget(widget)
        row.addWidget(_button(actions["side_by_side"]))

    def show_drawing(self) -> None:
        """Shows how the session's drawing stands to the compared step."""
        drawing = self._session.drawing
        diff = drawing.diff if drawing is not None else None
        counts = {
            "added": ("+", len(diff.added) if diff else 0),
            "removed": ("−", len(diff.removed) if diff else 0),
            "changed": ("~", len(diff.changed) if diff else 0),
        }
        for name, (sign, count) in counts.items():
            self.chips[name].setText(f"{sign}{fmt.count(count)}")
            self.chips[name].setToolTip(f"{fmt.plural(count, 'node')} {name}")
        self._counted = tuple(name for name, (_, count) in counts.items() if count)
        self.total.setText(f"≠ {fmt.count(sum(count for _, count in counts.values()))}")
        self.total.setToolTip(", ".join(self.chips[name].toolTip() for name in self._counted))
        self._show_details(drawing)
        self.verdict.setText(verdict(drawing) if drawing is not None else "")
        self._show_compared(drawing)
        self._give_way()

    def set_place(self, place: int, count: int) -> None:
        """That of what differs `place`, from 1, is selected, 0 for none of them."""
        self._count = count
        self.place.setText(f"{fmt.count(place)} of {fmt.count(count)}" if place else fmt.plural(count, "difference"))
        self.place.setToolTip(self.tr("Boxes and frames that differ between the two steps"))
        self._give_way()

    def dress(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#changes_bar {{ background: {theme.panel}; border-bottom: 1px solid {theme.border}; }}"
            f"PlainLabel {{ color: {theme.muted_text}; }} QSpinBox {{ padding: 1px 6px; }}"
        )
        swatches: dict[str, Swatch] = {"added": theme.added, "removed": theme.removed, "changed": theme.changed}
        chips = [*((self.chips[name], swatch) for name, swatch in swatches.items()), (self.total, theme.changed)]
        for chip, swatch in chips:
            chip.setStyleSheet(
                f"QToolButton {{ background: {swatch.fill}; color: {swatch.text}; border: 1px solid {swatch.border};"
                " border-radius: 9px; padding: 1px 8px; font-weight: 600; }"
                f"QToolButton:hover, QToolButton:focus {{ border-color: {theme.accent}; }}"
            )

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._give_way()

    def _show_details(self, drawing: Drawing | None) -> None:
        """Side by side each step has a line of its own."""
        if drawing is None or self._session.options.side_by_side:
            self.details.setText("")
            return
        step, timeline = drawing.step, self._session.timeline
        parts = (
            self.tr("Structure {0} of {1}").format(
                fmt.count(timeline.structure(step.index) + 1), fmt.count(timeline.structure_count)
            ),
            fmt.plural(drawing.graph.number_of_nodes(), "node"),
            fmt.duration(step.duration_secs),
        )
        self.details.setText(" · ".join(parts))

    def _show_compared(self, drawing: Drawing | None) -> None:
        """While the user types, the number under the cursor must not change."""
        compared = drawing.question.compared_step if drawing is not None else NO_STEP
        with QSignalBlocker(self.spin):
            self.spin.setRange(NO_STEP, max(len(self._session.timeline) - 1, NO_STEP))
            if not self.spin.hasFocus():
                self.spin.setValue(compared)

    def _give_way(self) -> None:
        """As little as there must."""
        for way in range(self.width() < ROOMY_PX, WAYS):
            self._show_less(way)
            if self.layout().minimumSize().width() <= self.width():
                return

    def _show_less(self, way: int) -> None:
        drawing = self._session.drawing
        differs = drawing is not None and bool(drawing.diff)
        self._unit.setVisible(differs and way < 1)
        self.details.setVisible(way < 1 or (not differs and way < 2))
        self.verdict.setVisible(way < 1 or (not differs and way < 4))
        for name, chip in self.chips.items():
            chip.setVisible(name in self._counted and way < 2)
        self.total.setVisible(bool(self._counted) and way >= 2)
        for widget in self._way:
            widget.setVisible(self._count > 0 and way < (1 if widget is self.place else 3))
        for choice in (self.spin, self._pin):
            choice.setVisible(way < 4)

    @Slot(int)
    def _on_typed(self, step: int) -> None:
        self._session.pin(None if step == NO_STEP else step)


def _chip() -> QToolButton:
    chip = QToolButton()
    chip.setCursor(Qt.CursorShape.PointingHandCursor)
    return chip


def _button(action: QAction) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setAutoRaise(True)
    return button
