"""The fields of one condition as a form: a spin box, a line to type in, a line that completes."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCompleter, QFormLayout, QLineEdit, QSpinBox, QWidget

from gui.plain_text import PlainLabel
from gui.theme import Theme
from tracer.model.breakpoints import Field, Value

MOST_COUNT = 1_000_000_000
SHORT_PX = 160
LABEL_PX = 104


class BreakpointForm(QWidget):
    """`values` are what stands in the fields, not yet checked."""

    edited = Signal()

    def __init__(
        self,
        fields: tuple[Field, ...],
        values: Mapping[str, Value],
        suggest: Callable[[Field], tuple[str, ...]],
        explain: Callable[[Field], str],
        theme: Theme,
    ) -> None:
        super().__init__()
        self._editors: dict[str, QSpinBox | QLineEdit] = {}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(theme.sizes.margin)
        form.setVerticalSpacing(4)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for field in fields:
            editor = self._editor(field, values.get(field.name, field.default), suggest(field))
            editor.setAccessibleName(field.title)
            self._editors[field.name] = editor
            label = PlainLabel(field.title)
            label.setMinimumWidth(LABEL_PX)
            form.addRow(label, editor)
            if field.tip:
                note = PlainLabel(explain(field))
                note.setWordWrap(True)
                note.setStyleSheet(f"color: {theme.muted_text}; font-size: {theme.sizes.small_text}px;")
                form.addRow("", note)

    @property
    def values(self) -> dict[str, Value]:
        return {
            name: editor.value() if isinstance(editor, QSpinBox) else editor.text()
            for name, editor in self._editors.items()
        }

    def focus_first(self) -> None:
        for editor in list(self._editors.values())[:1]:
            editor.setFocus(Qt.FocusReason.TabFocusReason)
            editor.selectAll()

    def _editor(self, field: Field, value: Value, words: tuple[str, ...]) -> QSpinBox | QLineEdit:
        if field.kind == "count":
            return self._spin(field, value)
        line = QLineEdit(f"{value:.10g}" if isinstance(value, float) else str(value))
        line.textChanged.connect(self.edited)
        if field.kind == "number":
            line.setMaximumWidth(SHORT_PX)
        if words:
            completer = QCompleter(list(words), line)
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            line.setCompleter(completer)
        return line

    def _spin(self, field: Field, value: Value) -> QSpinBox:
        spin = QSpinBox()
        spin.setRange(int(field.least or 0), MOST_COUNT)
        spin.setMaximumWidth(SHORT_PX)
        spin.setStyleSheet(
            "QSpinBox { padding-left: 9px; } QSpinBox::up-button, QSpinBox::down-button { width: 0; border: 0; }"
        )
        try:
            spin.setValue(int(value))
        except ValueError:
            spin.setValue(int(field.default))
        spin.valueChanged.connect(self.edited)
        return spin
