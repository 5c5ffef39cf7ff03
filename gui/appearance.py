"""The theme in use, and word of it to everything that paints."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from gui.settings import Settings
from gui.theme import Theme, apply_theme, theme_for


class Appearance(QObject):
    """Dresses the application as the settings say, and again when they or the desktop's scheme change."""

    theme_changed = Signal(object)  # Theme

    def __init__(self, app: QApplication, settings: Settings) -> None:
        super().__init__(app)
        self._app = app
        self._settings = settings
        self.theme: Theme = theme_for(settings.theme)
        apply_theme(app, self.theme)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.refresh)

    @property
    def preference(self) -> str:
        return self._settings.theme

    def prefer(self, preference: str) -> None:
        """Remembers one of `gui.theme.PREFERENCES` and applies it."""
        self._settings.theme = preference
        self.refresh()

    def refresh(self) -> None:
        theme = theme_for(self._settings.theme)
        if theme is not self.theme:
            self.theme = theme
            apply_theme(self._app, theme)
            self.theme_changed.emit(theme)
