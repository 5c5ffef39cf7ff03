"""What every dock has in common: a name the window's layout is remembered by, and a title that a tab replaces."""

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget


class Dock(QDockWidget):
    """Holds one widget; `name` is stable, `title` is what the user reads.

    `REFRESH_MSECS` after the graph a dock follows it: what the user looks at comes first, and a step that is left again
    at once costs nothing. No two docks have the same: one turn of the event loop for all would be a long one.
    """

    REFRESH_MSECS = 30

    def __init__(self, name: str, title: str, content: QWidget) -> None:
        super().__init__(title)
        self.setObjectName(name)
        self.setWidget(content)
        self._no_title = QWidget()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(self.REFRESH_MSECS)
        self._soon.timeout.connect(self.refresh)
        self.dockLocationChanged.connect(self.refresh_title)
        self.topLevelChanged.connect(self.refresh_title)

    def refresh(self) -> None:
        """Brings the content up to date; called when the dock comes into view. Out of view it may stay behind."""

    @Slot()
    def refresh_soon(self) -> None:
        """Brings it up to date when the graph has been painted."""
        self._soon.start()

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
