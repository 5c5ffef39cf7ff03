"""The window's two toolbars: of tools, which hides behind » what does not fit, and of what must always be seen."""

import qtawesome
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QSizePolicy, QToolBar, QToolButton, QWidget

from gui.theme import Theme

_MORE_ICON = "mdi6.chevron-double-right"


class ToolBar(QToolBar):
    """At the top of the window, for good."""

    def __init__(self, title: str, name: str, icon_px: int) -> None:
        super().__init__(title)
        self.setObjectName(name)
        self.setMovable(False)
        self.setIconSize(QSize(icon_px, icon_px))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        # Qt's own button, whose own icon is black whatever the theme.
        self.more = self.findChild(QToolButton, "qt_toolbar_ext_button")

    def set_theme(self, theme: Theme) -> None:
        self.more.setIcon(qtawesome.icon(_MORE_ICON, color=theme.text))
        self.more.setToolTip(self.tr("More tools"))


class StateBar(ToolBar):
    """At the right edge; takes its room before the tools take theirs."""

    def __init__(self, title: str, name: str, icon_px: int) -> None:
        super().__init__(title, name, icon_px)
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(spacer)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()
