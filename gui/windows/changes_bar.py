"""The line over the graph: which structure is shown, and how much differs from another step."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from gui import format as fmt
from gui.drawing import Drawing
from gui.session import Session
from gui.theme import Swatch, Theme


class ChangesBar(QWidget):
    """One line: which step, which structure, and how much differs from the step shown before."""

    requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("changes_bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._step, self._against = QLabel(), QLabel()
        self._chips = {name: _chip() for name in ("added", "removed", "changed")}
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 12, 5)
        row.setSpacing(6)
        row.addWidget(self._step)
        row.addStretch(1)
        for chip in self._chips.values():
            row.addWidget(chip)
            chip.clicked.connect(self.requested)
        row.addWidget(self._against)
        self.setFixedHeight(36)
        self.dress(theme)

    def show_drawing(self, drawing: Drawing | None, session: Session) -> None:
        diff = drawing.diff if drawing is not None else None
        counts = {
            "added": ("+", len(diff.added) if diff else 0),
            "removed": ("−", len(diff.removed) if diff else 0),
            "changed": ("~", len(diff.changed) if diff else 0),
        }
        for name, (sign, count) in counts.items():
            self._chips[name].setText(f"{sign}{fmt.count(count)}")
            self._chips[name].setVisible(count > 0)
            self._chips[name].setToolTip(f"{fmt.plural(count, 'node')} {name}")
        self._step.setText(self._step_text(drawing, session))
        self._against.setText(self._against_text(drawing))

    def dress(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#changes_bar {{ background: {theme.panel}; border-bottom: 1px solid {theme.border}; }}"
            f"QLabel {{ color: {theme.muted_text}; }}"
        )
        swatches: dict[str, Swatch] = {"added": theme.added, "removed": theme.removed, "changed": theme.changed}
        for name, swatch in swatches.items():
            self._chips[name].setStyleSheet(
                f"QToolButton {{ background: {swatch.fill}; color: {swatch.text}; border: 1px solid {swatch.border};"
                " border-radius: 9px; padding: 1px 8px; font-weight: 600; }"
                f"QToolButton:hover, QToolButton:focus {{ border-color: {theme.accent}; }}"
            )

    def _step_text(self, drawing: Drawing | None, session: Session) -> str:
        if drawing is None:
            return ""
        structure = session.timeline.structure(drawing.step.index)
        parts = [
            self.tr("Structure {0} of {1}").format(fmt.count(structure + 1), session.timeline.structure_count),
            fmt.plural(drawing.graph.number_of_nodes(), "node"),
            fmt.duration(drawing.step.duration_secs),
        ]
        return "   ·   ".join(parts)

    def _against_text(self, drawing: Drawing | None) -> str:
        if drawing is None or drawing.diff is None:
            return ""
        step = fmt.count(drawing.question.compared_step)
        if drawing.diff:
            return self.tr("against step {0}").format(step)
        return self.tr("Same graph as step {0}").format(step)


def _chip() -> QToolButton:
    chip = QToolButton()
    chip.setCursor(Qt.CursorShape.PointingHandCursor)
    return chip
