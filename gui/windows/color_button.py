"""What boxes are coloured by, as a button in the toolbar with a menu to change it."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QMenu, QToolButton

from gui.colorings import colorings
from gui.session import Session


class ColorButton(QToolButton):
    """Says what the session says. Its menu is filled by others."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setMenu(QMenu(self))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setAccessibleName(self.tr("Colour by"))
        self.setToolTip(self.tr("What boxes are coloured by (K for the next)"))
        session.options_changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        self.setText(self.tr("Colour: {0}").format(colorings()[self._session.options.coloring].TITLE))
