from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication

from gui.fonts import code_font, load_fonts, text_font
from gui.theme import DARK, LIGHT, Theme, apply_theme, mix, palette, style_sheet, theme_for

ASSETS = Path(__file__).resolve().parents[2] / "assets"
THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)


def contrast(a: str, b: str) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""

    def luminance(color: str) -> float:
        channels = [QColor(color).redF(), QColor(color).greenF(), QColor(color).blueF()]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@THEMES
def test_interface_text_is_readable(theme: Theme) -> None:
    for background in (theme.window, theme.panel, theme.raised, theme.hover, theme.accent_soft):
        assert contrast(theme.text, background) >= 7
        assert contrast(theme.muted_text, background) >= 4.5
    assert contrast(theme.accent_text, theme.accent) >= 4.5
    assert contrast(theme.console_text, theme.console_background) >= 7
    assert contrast(theme.console_error, theme.console_background) >= 4.5


@THEMES
def test_box_titles_are_readable_on_every_fill(theme: Theme) -> None:
    swatches = [*theme.kinds.values(), *theme.categories, theme.neutral, theme.added, theme.removed, theme.changed]
    for swatch in swatches:
        assert contrast(swatch.text, swatch.fill) >= 4.5, swatch
        assert contrast(swatch.muted_text, swatch.fill) >= 3, swatch
    for fill in theme.group_fills:
        assert contrast(theme.group_text, fill) >= 4.5


@THEMES
def test_curves_and_diff_marks_stand_out_from_their_background(theme: Theme) -> None:
    for color in theme.plot_colors:
        assert contrast(color, theme.plot_background) >= 2.5, color
    for swatch in (theme.added, theme.removed):
        assert contrast(swatch.strong, theme.canvas) >= 3


@THEMES
def test_neighbouring_structures_have_distinct_colours(theme: Theme) -> None:
    count = len(theme.structure_colors)
    for number in range(3 * count):
        here, there = QColor(theme.structure_color(number)), QColor(theme.structure_color(number + 1))
        gap = abs(here.red() - there.red()) + abs(here.green() - there.green()) + abs(here.blue() - there.blue())
        assert gap > 90, (here.name(), there.name())


@THEMES
def test_the_style_sheet_has_every_colour_filled_in(theme: Theme) -> None:
    assert "@" not in style_sheet(theme)
    assert theme.accent in style_sheet(theme)


def test_both_themes_dress_the_application(qapp: QApplication) -> None:
    before = (qapp.styleSheet(), qapp.palette(), qapp.font(), qapp.style().objectName())
    try:
        apply_theme(qapp, DARK)
        assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(DARK.window)
        apply_theme(qapp, LIGHT)
        assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(LIGHT.window)
    finally:
        qapp.setStyle(before[3])
        qapp.setFont(before[2])
        qapp.setPalette(before[1])
        qapp.setStyleSheet(before[0])


def test_a_preference_overrides_the_system(qapp: QApplication) -> None:
    assert theme_for("dark") is DARK
    assert theme_for("light") is LIGHT
    assert theme_for("system") in (LIGHT, DARK)
    assert palette(DARK) != palette(LIGHT)


def test_mixing_moves_from_one_colour_to_the_other() -> None:
    assert mix("#ffffff", "#000000", 1) == "#ffffff"
    assert mix("#ffffff", "#000000", 0) == "#000000"
    assert mix("#ff0000", "#0000ff", 0.5) == "#800080"


def test_the_shipped_fonts_are_the_ones_used(qapp: QApplication) -> None:
    load_fonts()
    load_fonts()
    assert QFontInfo(text_font(13)).family() == "Inter"
    assert QFontInfo(code_font(12)).family() == "DejaVu Sans Mono"
    assert QFontInfo(code_font(12)).fixedPitch()


def test_fonts_come_with_their_licences_and_stay_small() -> None:
    fonts = list((ASSETS / "fonts").glob("*.ttf"))
    assert sum(font.stat().st_size for font in fonts) < 2_000_000
    for font in fonts:
        licence = ASSETS / "fonts" / ("Inter-LICENSE.txt" if font.name.startswith("Inter") else "DejaVu-LICENSE.txt")
        assert len(licence.read_text(encoding="utf-8")) > 1_000
