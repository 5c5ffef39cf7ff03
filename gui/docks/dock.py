"""What every dock has in common: a name the window's layout is remembered by, and a title that a tab replaces."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget


class Dock(QDockWidget):
    """Holds one widget; `name` is stable, `title` is what the user reads."""

    def __init__(self, name: str, title: str, content: QWidget) -> None:
        super().__init__(title)
        self.setObjectName(name)
        self.setWidget(content)
        self._no_title = QWidget()
        self.dockLocationChanged.connect(self.refresh_title)
        self.topLevelChanged.connect(self.refresh_title)

    def refresh(self) -> None:
        """Brings the content up to date; called when the dock comes into view. Out of view it may stay behind."""

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    @Slot()
    def refresh_title(self) -> None:
        """Shows the title bar unless the dock has a tab, which says the same."""
        window = self.parent()
        has_tab = isinstance(window, QMainWindow) and bool(window.tabifiedDockWidgets(self))
        wanted = self._no_title if has_tab and not self.isFloating() else None
        if self.titleBarWidget() is not wanted:
            self.setTitleBarWidget(wanted)
