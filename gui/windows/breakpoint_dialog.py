"""The dialog for one breakpoint: its condition from a list, the condition's fields, and what follows when it is met."""

from dataclasses import replace

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QColor, QIcon, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui.breakpoint_hints import field_help, suggestions, unknown_scalars
from gui.breakpoint_text import effect_text, grouped_conditions
from gui.models.tree import KEY_ROLE
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.theme import Theme
from gui.windows.breakpoint_form import LABEL_PX, BreakpointForm
from tracer.conditions import checked, condition, fields_of
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint, Value

SIZE_PX = (780, 590)
LIST_PX = 250
ROW_PX = 22
USUAL = "loss_above"


class BreakpointDialog(QDialog):
    """Edits `breakpoint`; with `runs_on` it is where the training, told to continue, stops once. `result_breakpoint`
    is what the user made of it, None while that makes no sense: then the reason stands under it."""

    def __init__(
        self,
        session: Session,
        theme: Theme,
        breakpoint: Breakpoint | None,
        parent: QWidget | None = None,
        *,
        runs_on: bool = False,
    ) -> None:
        super().__init__(parent)
        self._session, self._theme, self._runs_on = session, theme, runs_on
        self._start = breakpoint or Breakpoint(0, USUAL)
        self._kept: dict[str, Value] = dict(self._start.fields)
        self.result_breakpoint: Breakpoint | None = None
        self.conditions = _condition_list(theme)
        self.form = BreakpointForm((), {}, lambda _: (), lambda _: "", theme)
        self.sentence, self.reason = PlainLabel(), PlainLabel()
        self.hits, self.log = QLineEdit(self._start.hit_condition), QLineEdit(self._start.log_message)
        self.once, self.enabled = QCheckBox(self.tr("Once, then disable it")), QCheckBox(self.tr("Enabled"))
        self.buttons = QDialogButtonBox()
        self._place_of_form, self._rule = QVBoxLayout(), _line(theme)
        self._build(is_new=breakpoint is None or not breakpoint.id)
        self._connect()
        self._choose(self._start.condition)
        if breakpoint is not None:
            self.form.focus_first()

    def _build(self, is_new: bool) -> None:
        title = self.tr("Add breakpoint") if is_new else self.tr("Edit breakpoint")
        self.setWindowTitle(self.tr("Continue until") if self._runs_on else title)
        self.resize(*SIZE_PX)
        self.once.setChecked(self._start.is_one_shot)
        self.enabled.setChecked(self._start.is_enabled)
        self.hits.setPlaceholderText(self.tr("each time;  or 5,  >= 5,  > 5,  % 5"))
        self.log.setPlaceholderText(self.tr("stop;  or write:  loss {loss:.3f} at step {step}"))
        for label in (self.sentence, self.reason):
            label.setWordWrap(True)
        self.sentence.setStyleSheet(f"font-size: {self._theme.sizes.text + 2}px; font-weight: 600;")
        self.reason.setStyleSheet(f"color: {self._theme.error};")
        self._make_buttons()
        right = QVBoxLayout()
        right.setSpacing(self._theme.sizes.margin)
        right.addWidget(self.sentence)
        right.addWidget(_line(self._theme))
        right.addLayout(self._place_of_form)
        right.addWidget(self._rule)
        right.addLayout(self._when_met())
        right.addWidget(self.reason)
        right.addStretch(1)
        page = QWidget()
        page.setLayout(right)
        right.setContentsMargins(4, 4, 4, 4)
        top = QHBoxLayout()
        top.setSpacing(self._theme.sizes.margin)
        top.addWidget(self.conditions)
        top.addWidget(_scrolled(page), 1)
        column = QVBoxLayout(self)
        column.addLayout(top, 1)
        column.addWidget(self.buttons)

    def _when_met(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(self._theme.sizes.margin)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(_label(self.tr("Hits that count")), self.hits)
        self.hits.setAccessibleName(self.tr("Hits that count"))
        if not self._runs_on:
            form.addRow(self.tr("When met"), self.log)
            self.log.setAccessibleName(self.tr("Line to write instead of stopping"))
            boxes = QHBoxLayout()
            boxes.setSpacing(2 * self._theme.sizes.margin)
            for box in (self.enabled, self.once):
                boxes.addWidget(box)
            boxes.addStretch(1)
            form.addRow("", boxes)
        return form

    def _make_buttons(self) -> None:
        ok = self.buttons.addButton(QDialogButtonBox.StandardButton.Ok)
        cancel = self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        ok.setText(self.tr("Continue") if self._runs_on else self.tr("OK"))
        for button in (ok, cancel):
            button.setIcon(QIcon())

    def _connect(self) -> None:
        self.conditions.selectionModel().currentChanged.connect(self._on_chosen)
        for line in (self.hits, self.log):
            line.textChanged.connect(self._check)
        for box in (self.once, self.enabled):
            box.toggled.connect(self._check)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def choose(self, name: str) -> None:
        """Makes it wait for another condition; what was typed into a field of the same name is kept."""
        self._choose(name)

    def _choose(self, name: str) -> None:
        model = self.conditions.model()
        found = model.match(model.index(0, 0), KEY_ROLE, name, 1, Qt.MatchFlag.MatchExactly)
        for index in found:
            self.conditions.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    @Slot(QModelIndex, QModelIndex)
    def _on_chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        name = current.data(KEY_ROLE)
        if not name:
            return
        self._kept.update(self.form.values)
        self._place_of_form.removeWidget(self.form)
        self.form.hide()
        self.form.deleteLater()
        self.form = BreakpointForm(
            fields_of(name),
            self._kept,
            lambda field: suggestions(self._session, field),
            lambda field: field_help(self._session, field),
            self._theme,
        )
        self._place_of_form.addWidget(self.form)
        self.form.edited.connect(self._check)
        self.form.setVisible(bool(fields_of(name)))
        self._rule.setVisible(bool(fields_of(name)))
        self._check()

    @Slot()
    def _check(self) -> None:
        """Says what the breakpoint does, or why it makes no sense."""
        try:
            self.result_breakpoint = checked(self._draft())
            self.sentence.setText(effect_text(self.result_breakpoint, self.tr("Stops") if self._runs_on else ""))
            self.reason.setText(unknown_scalars(self._session, self.result_breakpoint))
        except UsageError as error:
            self.result_breakpoint = None
            self.sentence.setText(self.tr("Stops when {0} …").format(condition(self._name).TITLE))
            self.reason.setText(str(error))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(self.result_breakpoint is not None)

    def _draft(self) -> Breakpoint:
        draft = replace(
            self._start, condition=self._name, fields=self.form.values, hit_condition=self.hits.text().strip()
        )
        if self._runs_on:
            return replace(draft, log_message="", is_enabled=True, is_one_shot=False)
        return replace(
            draft,
            log_message=self.log.text().strip(),
            is_one_shot=self.once.isChecked(),
            is_enabled=self.enabled.isChecked(),
        )

    @property
    def _name(self) -> str:
        return str(self.conditions.currentIndex().data(KEY_ROLE) or self._start.condition)


def _condition_list(theme: Theme) -> QListView:
    """The conditions under the titles of their groups, which cannot be chosen."""
    view = QListView()
    model = QStandardItemModel(view)
    for title, names in grouped_conditions():
        heading = QStandardItem(title)
        heading.setFlags(Qt.ItemFlag.NoItemFlags)
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        heading.setForeground(QColor(theme.muted_text))
        model.appendRow(heading)
        for name in names:
            text = condition(name).TITLE
            item = QStandardItem(f"   {text[:1].upper()}{text[1:]}")
            item.setData(name, KEY_ROLE)
            item.setEditable(False)
            model.appendRow(item)
    for row in range(model.rowCount()):
        model.item(row).setSizeHint(QSize(0, ROW_PX))
    view.setModel(model)
    view.setFixedWidth(LIST_PX)
    view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
    view.setAccessibleName(view.tr("Conditions"))
    return view


def _label(text: str) -> PlainLabel:
    label = PlainLabel(text)
    label.setMinimumWidth(LABEL_PX)
    return label


def _line(theme: Theme) -> QFrame:
    line = QFrame()
    line.setFixedHeight(1)
    line.setStyleSheet(f"background: {theme.border};")
    return line


def _scrolled(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area
