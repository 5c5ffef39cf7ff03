"""What the actions on source lines do: open one in the user's editor, choose that, copy where one stands."""

import os
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from gui.actions import Actions
from gui.appearance import Appearance
from gui.editors import AUTOMATIC, DESKTOP, automatic, words_to_open
from gui.errors import warn
from gui.findings import source_of
from gui.session import Session
from gui.settings import Settings
from gui.windows.editor_dialog import EditorDialog
from tracer.errors import SourceError, UsageError
from tracer.source_file import read_source


class SourceCommands(QObject):
    def __init__(
        self, actions: Actions, session: Session, settings: Settings, appearance: Appearance, window: QWidget
    ) -> None:
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._appearance = appearance
        self._window = window
        actions["open_source"].triggered.connect(self._open_selected)
        actions["copy_source"].triggered.connect(self._copy)
        actions["choose_editor"].triggered.connect(self._choose_editor)

    @Slot(str, int)
    def open(self, file: str, line: int) -> None:
        """Opens a file of Python text at a line; says why if that fails."""
        try:
            read_source(file)  # a tape may come from anywhere and name anything
            self._start(file, line)
        except (SourceError, UsageError) as error:
            warn(self._window, str(error))

    @Slot()
    def _open_selected(self) -> None:
        source = source_of(self._session)
        if source is not None:
            self.open(str(source["file"]), int(source["line"]))

    @Slot()
    def _copy(self) -> None:
        source = source_of(self._session)
        if source is not None:
            QApplication.clipboard().setText(f"{source['file']}:{source['line']}")

    @Slot()
    def _choose_editor(self) -> None:
        dialog = EditorDialog(self._settings.editor, self._appearance.theme, self._window)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self._settings.editor = dialog.choice
        dialog.deleteLater()

    def _start(self, file: str, line: int) -> None:
        command = self._settings.editor
        if command == AUTOMATIC:
            found = automatic()
            command = DESKTOP if found is None else found.command
        if command == DESKTOP:
            if not _open_on_desktop(file):
                raise UsageError(self.tr("The desktop has no program for {0}; choose an editor.").format(file))
            return
        program, *arguments = words_to_open(command, file, line)
        if not QProcess.startDetached(program, arguments)[0]:
            raise UsageError(self.tr("{0} cannot be started; choose another editor.").format(program))


def _open_on_desktop(file: str) -> bool:
    if sys.platform == "win32":
        # What opens a script there by default is Python itself, which would run it.
        os.startfile(Path(file), "edit")
        return True
    return QDesktopServices.openUrl(QUrl.fromLocalFile(file))
