"""Whether a window can be shown."""

import os
import sys


def has_display() -> bool:
    """On Linux and the like: an X11 or Wayland session, or a Qt platform chosen by hand; elsewhere always."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
