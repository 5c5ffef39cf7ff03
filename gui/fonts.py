"""The fonts that ship with the app, so that text is never squares on a machine without any."""

from pathlib import Path

from PySide6.QtGui import QFont, QFontDatabase

FONTS_DIR = Path(__file__).resolve().parent.parent / "assets" / "fonts"
# Inter for the interface; DejaVu Sans behind it, for the symbols and alphabets that Inter lacks.
TEXT_FAMILIES = ("Inter", "DejaVu Sans")
CODE_FAMILIES = ("DejaVu Sans Mono", "DejaVu Sans")


def load_fonts() -> None:
    """Register every shipped font that is not registered yet. Needs a QGuiApplication; safe to call again."""
    if set(TEXT_FAMILIES + CODE_FAMILIES) <= _application_families():
        return
    for file in sorted(FONTS_DIR.glob("*.ttf")):
        QFontDatabase.addApplicationFont(str(file))


def text_font(size_px: float, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The interface's font at a size in pixels; not hinted, so that letters keep their distances at any zoom."""
    return _font(TEXT_FAMILIES, size_px, weight)


def code_font(size_px: float, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The fixed-width font, for source lines and the console."""
    font = _font(CODE_FAMILIES, size_px, weight)
    font.setFixedPitch(True)
    return font


def _font(families: tuple[str, ...], size_px: float, weight: QFont.Weight) -> QFont:
    font = QFont(list(families))
    font.setPixelSize(round(size_px))
    font.setWeight(weight)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def _application_families() -> set[str]:
    """The families registered by us: ids count up from 0, and an unknown id has no families."""
    families: set[str] = set()
    font_id = 0
    while names := QFontDatabase.applicationFontFamilies(font_id):
        families.update(names)
        font_id += 1
    return families
