"""What the app remembers between runs: one typed wrapper, the only place that knows QSettings' keys."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from gui.editors import AUTOMATIC
from gui.theme import PREFERENCES

RECENT_TAPES = 12


class Settings:
    """Reads and writes at once; a value that makes no sense reads as the default."""

    def __init__(self, store: QSettings | None = None) -> None:
        self._store = store if store is not None else QSettings("Tapescope", "Tapescope")

    @property
    def theme(self) -> str:
        """One of `gui.theme.PREFERENCES`."""
        stored = str(self._store.value("theme", "system"))
        return stored if stored in PREFERENCES else "system"

    @theme.setter
    def theme(self, theme: str) -> None:
        self._store.setValue("theme", theme)

    @property
    def tapes_folder(self) -> Path:
        """Where the tapes of runs started in the app go."""
        stored = self._store.value("tapes_folder")
        if stored:
            return Path(str(stored))
        data = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation)
        return Path(data) / "tapes"

    @tapes_folder.setter
    def tapes_folder(self, folder: Path) -> None:
        self._store.setValue("tapes_folder", str(folder))

    @property
    def recent_tapes(self) -> tuple[Path, ...]:
        """The tapes opened or recorded last that still exist, the latest first."""
        return tuple(path for path in self._remembered_tapes() if path.is_file())

    def remember_tape(self, path: Path) -> None:
        path = path.absolute()
        kept = [path, *(other for other in self._remembered_tapes() if other != path)]
        self._store.setValue("recent_tapes", [str(other) for other in kept[:RECENT_TAPES]])

    @property
    def shows_parameters(self) -> bool:
        return self._flag("shows_parameters", True)

    @shows_parameters.setter
    def shows_parameters(self, shown: bool) -> None:
        self._store.setValue("shows_parameters", shown)

    @property
    def shows_bookkeeping(self) -> bool:
        return self._flag("shows_bookkeeping", False)

    @shows_bookkeeping.setter
    def shows_bookkeeping(self, shown: bool) -> None:
        self._store.setValue("shows_bookkeeping", shown)

    @property
    def shows_forward_only(self) -> bool:
        return self._flag("shows_forward_only", True)

    @shows_forward_only.setter
    def shows_forward_only(self, shown: bool) -> None:
        self._store.setValue("shows_forward_only", shown)

    @property
    def folds_repeats(self) -> bool:
        return self._flag("folds_repeats", True)

    @folds_repeats.setter
    def folds_repeats(self, folded: bool) -> None:
        self._store.setValue("folds_repeats", folded)

    @property
    def side_by_side(self) -> bool:
        return self._flag("side_by_side", False)

    @side_by_side.setter
    def side_by_side(self, shown: bool) -> None:
        self._store.setValue("side_by_side", shown)

    @property
    def links_cameras(self) -> bool:
        return self._flag("links_cameras", True)

    @links_cameras.setter
    def links_cameras(self, linked: bool) -> None:
        self._store.setValue("links_cameras", linked)

    @property
    def shows_ghosts(self) -> bool:
        """Whether what a step lacks is drawn in its place."""
        return self._flag("shows_ghosts", True)

    @shows_ghosts.setter
    def shows_ghosts(self, shown: bool) -> None:
        self._store.setValue("shows_ghosts", shown)

    @property
    def animates(self) -> bool:
        """Whether the graph slides from one layout to the next."""
        return self._flag("animates", True)

    @animates.setter
    def animates(self, animated: bool) -> None:
        self._store.setValue("animates", animated)

    @property
    def breaks_on_exception(self) -> bool:
        """Whether runs that the app starts wait where an exception would end them."""
        return self._flag("breaks_on_exception", False)

    @breaks_on_exception.setter
    def breaks_on_exception(self, breaks: bool) -> None:
        self._store.setValue("breaks_on_exception", breaks)

    @property
    def folds_legend(self) -> bool:
        """Whether the title alone of the legend is shown."""
        return self._flag("folds_legend", False)

    @folds_legend.setter
    def folds_legend(self, folded: bool) -> None:
        self._store.setValue("folds_legend", folded)

    @property
    def editor(self) -> str:
        """What source lines are opened with: a command, or `gui.editors.AUTOMATIC` or `DESKTOP`."""
        return str(self._store.value("editor", AUTOMATIC))

    @editor.setter
    def editor(self, choice: str) -> None:
        self._store.setValue("editor", choice)

    @property
    def last_folder(self) -> str:
        """Where a file dialog starts."""
        return str(self._store.value("last_folder", ""))

    @last_folder.setter
    def last_folder(self, folder: str) -> None:
        self._store.setValue("last_folder", folder)

    @property
    def geometry(self) -> QByteArray:
        """`QMainWindow.saveGeometry()`, empty before the first run."""
        return self._bytes("geometry")

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._store.setValue("geometry", geometry)

    @property
    def window_state(self) -> QByteArray:
        """`QMainWindow.saveState()`: where the docks are; empty before the first run."""
        return self._bytes("window_state")

    @window_state.setter
    def window_state(self, state: QByteArray) -> None:
        self._store.setValue("window_state", state)

    def _remembered_tapes(self) -> tuple[Path, ...]:
        stored = self._store.value("recent_tapes", [])
        # An ini file gives a list of one back as a text.
        names: Sequence[object] = [stored] if isinstance(stored, str) else stored if isinstance(stored, list) else []
        return tuple(map(Path, map(str, names)))

    def _flag(self, key: str, default: bool) -> bool:
        # An ini file gives the text "true" back.
        return str(self._store.value(key, default)).lower() == "true"

    def _bytes(self, key: str) -> QByteArray:
        stored = self._store.value(key)
        return stored if isinstance(stored, QByteArray) else QByteArray()
