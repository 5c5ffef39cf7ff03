"""Which editor source lines are opened in: one that is installed, the desktop's, or a command of the user's."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from gui.editors import AUTOMATIC, DESKTOP, automatic, checked, installed
from gui.plain_text import PlainLabel
from gui.theme import Theme
from tracer.errors import UsageError

EXAMPLE = "code -g {file}:{line}"
WIDTH_PX = 460


class EditorDialog(QDialog):
    """`choice` is a command, or `AUTOMATIC` or `DESKTOP`; a command that cannot work is not accepted."""

    def __init__(self, choice: str, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Choose editor"))
        self.setMinimumWidth(WIDTH_PX)
        self.command, self.error = QLineEdit(), PlainLabel()
        self.buttons: dict[str, QRadioButton] = {}
        self.own = QRadioButton(self.tr("Another command:"))
        self._group = QButtonGroup(self)
        self._build(theme)
        self._check(choice)

    @property
    def choice(self) -> str:
        if self.own.isChecked():
            return self.command.text().strip()
        return next((choice for choice, button in self.buttons.items() if button.isChecked()), AUTOMATIC)

    def _build(self, theme: Theme) -> None:
        found = automatic()
        best = self.tr("Automatic ({0})").format(found.name if found else self.tr("the desktop's program"))
        column = QVBoxLayout(self)
        column.addWidget(PlainLabel(self.tr("Open source lines in")))
        choices = [(AUTOMATIC, best), *((editor.command, editor.name) for editor in installed())]
        for choice, text in (*choices, (DESKTOP, self.tr("The desktop's program for Python files, without the line"))):
            button = self.buttons[choice] = QRadioButton(text)
            button.setToolTip(choice if choice not in (AUTOMATIC, DESKTOP) else "")
            self._group.addButton(button)
            column.addWidget(button)
        self._group.addButton(self.own)
        self.command.setPlaceholderText(EXAMPLE)
        self.command.setAccessibleName(self.tr("Command with {file} and {line}"))
        self.error.setWordWrap(True)
        self.error.setStyleSheet(f"color: {theme.error};")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        for button in buttons.buttons():
            button.setIcon(QIcon())
        for widget in (self.own, self.command, self.error, buttons):
            column.addWidget(widget)
        self.own.toggled.connect(self.command.setEnabled)
        self.command.textEdited.connect(self.error.clear)
        self._group.buttonToggled.connect(self.error.clear)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)

    def _check(self, choice: str) -> None:
        self.buttons.get(choice, self.own).setChecked(True)
        self.command.setEnabled(self.own.isChecked())
        if self.own.isChecked():
            self.command.setText(choice)

    @Slot()
    def accept(self) -> None:
        if self.own.isChecked():
            try:
                checked(self.command.text())
            except UsageError as error:
                self.error.setText(str(error))
                self.command.setFocus()
                return
        super().accept()
