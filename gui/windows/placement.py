"""Where a window may stand: whole on a screen, its frame included."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

FRAME_HEIGHT_PX = 40
"""What a window manager's title bar takes; it is known only once the window is up."""


def fitted_into(rect: QRect, room: QRect) -> QRect:
    """A window's inner rectangle made small enough for a screen's room and moved into it, its title bar above it."""
    inner = room.adjusted(0, FRAME_HEIGHT_PX, 0, 0)
    size = rect.size().boundedTo(inner.size())
    x = min(max(rect.x(), inner.x()), inner.right() + 1 - size.width())
    y = min(max(rect.y(), inner.y()), inner.bottom() + 1 - size.height())
    return QRect(x, y, size.width(), size.height())


def keep_on_screen(window: QWidget) -> None:
    """Fits a window that is neither maximized nor in full screen into the screen it is on, the first where on none."""
    if window.isMaximized() or window.isFullScreen():
        return
    rect = window.geometry()
    screen = QGuiApplication.screenAt(rect.center()) or QGuiApplication.primaryScreen()
    fitted = fitted_into(rect, screen.availableGeometry())
    if fitted != rect:
        window.setGeometry(fitted)
