"""Every colour and size of the app: a light and a dark `Theme`, and how one is put on a QApplication.

Colours are "#rrggbb" strings: QColor, style sheets and pyqtgraph all take them. The hues that carry meaning are
those of Okabe and Ito (2008), which stay apart for colour-blind readers; nothing is told by colour alone.
"""

import re
from dataclasses import dataclass, field

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from gui.fonts import load_fonts, text_font

PREFERENCES = ("system", "light", "dark")


@dataclass(frozen=True, slots=True)
class Swatch:
    """How a box of one colour looks: `strong` stands for it where it is tiny, and in legends."""

    fill: str
    border: str
    text: str
    muted_text: str
    strong: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """Lengths in pixels at 100 %."""

    text: int = 13
    small_text: int = 11
    code_text: int = 12
    box_title: int = 13
    box_subtitle: int = 11
    group_title: int = 12
    heading: int = 17
    radius: int = 6
    group_radius: int = 10
    group_title_height: int = 26
    edge_width: float = 1.3
    margin: int = 12
    spacing: int = 8
    icon: int = 18


@dataclass(frozen=True, slots=True)
class Theme:
    """One look of the app. Tuples of colours are meant to be cycled through."""

    name: str
    is_dark: bool
    # chrome
    window: str
    panel: str
    raised: str
    hover: str
    border: str
    text: str
    muted_text: str
    disabled_text: str
    accent: str
    accent_text: str
    accent_soft: str
    link: str
    error: str
    warning: str
    success: str
    breakpoint: str
    # canvas
    canvas: str
    group_fills: tuple[str, ...]
    group_border: str
    group_text: str
    edge: str
    edge_label: str
    kinds: dict[str, Swatch]
    categories: tuple[Swatch, ...]
    neutral: Swatch
    ghost: Swatch
    added: Swatch
    removed: Swatch
    changed: Swatch
    selection: str
    hover_outline: str
    backward: str
    # plots and the strip of structures
    plot_background: str
    plot_grid: str
    plot_axis: str
    plot_cursor: str
    plot_colors: tuple[str, ...]
    structure_colors: tuple[str, ...]
    # console
    console_background: str
    console_text: str
    console_error: str
    console_notice: str
    # source code, by the kinds of gui/syntax.py
    syntax: dict[str, str]
    sizes: Sizes = field(default_factory=Sizes)

    def structure_color(self, number: int) -> str:
        """The colour of the structure with this number; consecutive numbers differ clearly."""
        return self.structure_colors[number % len(self.structure_colors)]

    def plot_color(self, number: int) -> str:
        """The colour of the curve with this number."""
        return self.plot_colors[number % len(self.plot_colors)]


def mix(color: str, base: str, share: float) -> str:
    """The colour that is `share` of the first and the rest of the second."""
    a, b = QColor(color), QColor(base)
    channels = zip((a.red(), a.green(), a.blue()), (b.red(), b.green(), b.blue()), strict=True)
    return "#" + "".join(f"{round(x * share + y * (1 - share)):02x}" for x, y in channels)


def _tinted(strong: str, panel: str, text: str, fill: float = 0.12, border: float = 0.55) -> Swatch:
    return Swatch(mix(strong, panel, fill), mix(strong, panel, border), text, mix(text, panel, 0.68), strong)


def _solid(strong: str, text: str) -> Swatch:
    return Swatch(strong, strong, text, mix(text, strong, 0.82), strong)


def _light() -> Theme:
    panel, text = "#ffffff", "#1c2128"
    hues = ["#3e63dd", "#0e8fa8", "#8e4ec6", "#4d7c0f", "#c2498a", "#8d6e4a", "#2f7fd1", "#6e56cf", "#5b7083"]
    return Theme(
        name="light",
        is_dark=False,
        window="#f4f5f7",
        panel=panel,
        raised="#fafbfc",
        hover="#eceef2",
        border="#dfe2e8",
        text=text,
        muted_text="#5f6877",
        disabled_text="#a3aab6",
        accent="#3e63dd",
        accent_text="#ffffff",
        accent_soft="#e4eafc",
        link="#2f54c8",
        error="#c4320a",
        warning="#9a6700",
        success="#0b7a5b",
        breakpoint="#a3195b",
        canvas="#fbfbfd",
        group_fills=("#f3f5f9", "#eaeef5", "#e2e7f0", "#dae1ec"),
        group_border="#ccd4e0",
        group_text="#566073",
        edge="#9aa4b4",
        edge_label="#566073",
        kinds={
            "op": Swatch("#ffffff", "#b6bfcd", text, "#6b7484", "#9aa5b5"),
            "module": Swatch("#e9effd", "#8ea6ea", "#1f3576", "#5568a3", "#6485e4"),
            "graphless": Swatch("#f8f9fe", "#8ea6ea", "#3b4a7a", "#6b7aa8", "#b9c7f0"),
            "parameter": Swatch("#f3f0f9", "#d5cbe8", "#5a4a7e", "#83759f", "#b5a3d6"),
            "input": Swatch("#e8f4f6", "#8cc3cf", "#14505d", "#4a7c87", "#4ba6b7"),
            "output": _solid("#2a3754", "#ffffff"),
        },
        categories=tuple(_tinted(hue, panel, text) for hue in hues),
        neutral=Swatch("#f6f7f9", "#cdd3dc", "#4b5565", "#7a8393", "#c3cad5"),
        ghost=Swatch("#fbfbfd", "#c9cfd9", "#a0a8b5", "#b4bbc6", "#dfe3e9"),
        added=Swatch("#dcf3eb", "#009e73", "#064e3b", "#2c7a62", "#009e73"),
        removed=Swatch("#fdeadf", "#d55e00", "#8a3d00", "#ab6a3c", "#d55e00"),
        changed=Swatch("#fdf1d6", "#e69f00", "#6b4a00", "#8d6d24", "#e69f00"),
        selection="#3e63dd",
        hover_outline="#7f8da3",
        backward="#a8447f",
        plot_background=panel,
        plot_grid="#e9ebef",
        plot_axis="#626b7a",
        plot_cursor="#3e63dd",
        plot_colors=("#0072b2", "#d55e00", "#009e73", "#b25a8c", "#3a9bd6", "#c98800", "#5b5fc7", "#7a7f87"),
        structure_colors=(
            *("#3e7cc9", "#e69f00", "#009e73", "#c2639a", "#56b4e9", "#d55e00"),
            *("#7b61c9", "#8fb339", "#b3475b", "#2fa5a0", "#a37b45", "#7f8b9c"),
        ),
        console_background="#fcfcfd",
        console_text="#2a303a",
        console_error="#b42318",
        console_notice="#626b7a",
        syntax={
            **{"comment": "#6d7685", "keyword": "#8436b8", "string": "#3f6b0c", "number": "#a8326f"},
            **{"definition": "#2f54c8", "decorator": "#8a5a00", "builtin": "#0b7285"},
        },
    )


def _dark() -> Theme:
    panel, text = "#1c1f25", "#e4e7ec"
    hues = ["#7b93f0", "#3fb8cf", "#b98ae6", "#94bf4a", "#e07fb3", "#c7a274", "#62a8ec", "#9d8cf0", "#93a5b8"]
    return Theme(
        name="dark",
        is_dark=True,
        window="#16181d",
        panel=panel,
        raised="#23272e",
        hover="#292e37",
        border="#2e333c",
        text=text,
        muted_text="#98a1b0",
        disabled_text="#5c6472",
        accent="#6f8af2",
        accent_text="#0f1320",
        accent_soft="#2a3252",
        link="#8ea4f7",
        error="#ff8a65",
        warning="#e8b64c",
        success="#4cc9a0",
        breakpoint="#ff86b3",
        canvas="#14161a",
        group_fills=("#1a1d23", "#21252c", "#282d36", "#30363f"),
        group_border="#3a414d",
        group_text="#a3adbd",
        edge="#69748a",
        edge_label="#a3adbd",
        kinds={
            "op": Swatch("#262b33", "#4d5666", text, "#98a1b0", "#6b7587"),
            "module": Swatch("#262f4d", "#5a70bd", "#d3dcff", "#9dabdc", "#6f88dd"),
            "graphless": Swatch("#191d2b", "#5a70bd", "#b9c4ea", "#8b98c4", "#3d4a7c"),
            "parameter": Swatch("#2a2636", "#514866", "#cbbfe6", "#988cb4", "#77699a"),
            "input": Swatch("#1c3238", "#3c7482", "#c3e6ed", "#86b2bb", "#4f9fb0"),
            "output": _solid("#d9e0f2", "#1a2236"),
        },
        categories=tuple(_tinted(hue, panel, text, 0.2, 0.6) for hue in hues),
        neutral=Swatch("#22262d", "#3f4652", "#b6bdc9", "#858e9d", "#4a5260"),
        ghost=Swatch("#14161a", "#3b424e", "#5f6877", "#525a68", "#2b3038"),
        added=Swatch("#12372d", "#1fbf92", "#c3f3e3", "#82c9b3", "#1fbf92"),
        removed=Swatch("#3b2216", "#f07a2b", "#ffd5bb", "#d29a78", "#f07a2b"),
        changed=Swatch("#3a2e10", "#edb02f", "#ffe7b3", "#cfb174", "#edb02f"),
        selection="#8ba2ff",
        hover_outline="#8b96a8",
        backward="#e58fc4",
        plot_background=panel,
        plot_grid="#2b3038",
        plot_axis="#98a1b0",
        plot_cursor="#8ba2ff",
        plot_colors=("#56b4e9", "#f0863c", "#2fc49a", "#d991bd", "#8fa2ff", "#edb02f", "#b5c24b", "#a5adba"),
        structure_colors=(
            *("#5b9be6", "#edb02f", "#1fbf92", "#d985b5", "#7cc8f2", "#f07a2b"),
            *("#9d87e8", "#a9c94f", "#d8707f", "#4fc4bf", "#c49a63", "#98a3b3"),
        ),
        console_background="#16181d",
        console_text="#d5dae2",
        console_error="#ff8a80",
        console_notice="#98a1b0",
        syntax={
            **{"comment": "#8792a2", "keyword": "#c79bee", "string": "#a5cc66", "number": "#e994c0"},
            **{"definition": "#8ea4f7", "decorator": "#e8b64c", "builtin": "#4fc3d7"},
        },
    )


LIGHT = _light()
DARK = _dark()


def theme_for(preference: str) -> Theme:
    """The theme of a preference: "light", "dark", or "system", which asks the desktop (and needs a QGuiApplication)."""
    if preference == "system":
        is_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return DARK if is_dark else LIGHT
    return DARK if preference == "dark" else LIGHT


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Dress the whole application: fonts, Fusion, palette, style sheet. Setting another changes the running app."""
    sheet = style_sheet(theme)
    if app.styleSheet() == sheet:  # to put on the same again takes a third of a second
        return
    load_fonts()
    app.setStyle(QStyleFactory.create("Fusion"))
    app.setFont(text_font(theme.sizes.text))
    app.setPalette(palette(theme))
    app.setStyleSheet(sheet)


def palette(theme: Theme) -> QPalette:
    """The theme as Qt's palette; our own, as `QStyleHints.setColorScheme` does nothing on the offscreen platform."""
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.raised,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted_text,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.error,
        role.Light: mix(theme.panel, theme.window, 0.5),
        role.Midlight: theme.raised,
        role.Mid: theme.border,
        role.Dark: mix(theme.muted_text, theme.border, 0.3),
        role.Shadow: "#000000" if theme.is_dark else mix(theme.text, theme.border, 0.3),
        role.Highlight: theme.accent,
        role.HighlightedText: theme.accent_text,
        role.Link: theme.link,
        role.LinkVisited: theme.link,
        role.Accent: theme.accent,
    }
    result = QPalette()
    for name, color in colors.items():
        result.setColor(name, QColor(color))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        result.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.disabled_text))
    result.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(theme.hover))
    return result


def style_sheet(theme: Theme) -> str:
    """The few things that a palette cannot say."""
    return re.sub(r"@(\w+)", lambda match: str(getattr(theme, match[1])), _STYLE_SHEET)


_STYLE_SHEET = """
QToolTip { color: @text; background: @raised; border: 1px solid @border; padding: 5px 7px; }
QMainWindow::separator { background: @window; width: 5px; height: 5px; }
QMainWindow::separator:hover { background: @accent; }
QSplitter::handle { background: @window; }
QSplitter::handle:hover { background: @accent; }

QToolBar { background: @window; border: 0; border-bottom: 1px solid @border; padding: 4px 6px; spacing: 2px; }
QToolBar::separator { background: @border; width: 1px; margin: 5px 6px; }
QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 4px 6px; color: @text; }
QToolButton:hover { background: @hover; }
QToolButton:pressed, QToolButton:checked { background: @accent_soft; }
QToolButton:focus { border-color: @accent; }
QToolButton:disabled { color: @disabled_text; }
QToolButton#qt_toolbar_ext_button { padding: 0; }

QToolButton[popupMode="2"] { padding-right: 20px; }
QToolButton::menu-indicator { subcontrol-origin: padding; subcontrol-position: right center; right: 5px; }

QPushButton { background: @raised; border: 1px solid @border; border-radius: 6px; padding: 6px 14px; color: @text; }
QPushButton:hover { background: @hover; }
QPushButton:pressed { background: @accent_soft; }
QPushButton:focus { border-color: @accent; }
QPushButton:default { background: @accent; border-color: @accent; color: @accent_text; }
QPushButton:disabled { color: @disabled_text; background: @window; }

QRadioButton { spacing: 7px; padding: 2px 0; }
QRadioButton::indicator { width: 12px; height: 12px; border: 1px solid @muted_text; border-radius: 7px;
    background: @panel; }
QRadioButton::indicator:checked { width: 6px; height: 6px; border: 4px solid @accent; }
QRadioButton::indicator:focus { border-color: @accent; }

QCheckBox::indicator:unchecked, QAbstractItemView::indicator:unchecked { width: 12px; height: 12px;
    border: 1px solid @muted_text; border-radius: 3px; background: @panel; }
QCheckBox::indicator:unchecked:disabled { border-color: @disabled_text; }
QCheckBox::indicator:unchecked:focus { border-color: @accent; }

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox {
    background: @panel; border: 1px solid @border; border-radius: 6px; padding: 4px 7px;
    selection-background-color: @accent; selection-color: @accent_text; }
QLineEdit:focus, QSpinBox:focus { border-color: @accent; }
QAbstractItemView QLineEdit { border-radius: 3px; padding: 0 2px; }

QMenuBar { background: @window; padding: 2px 4px; }
QMenuBar::item { padding: 4px 9px; border-radius: 5px; background: transparent; }
QMenuBar::item:selected { background: @hover; }
QMenu { background: @panel; border: 1px solid @border; padding: 5px; }
QMenu::item { padding: 5px 26px 5px 12px; border-radius: 5px; }
QMenu::item:selected { background: @accent_soft; color: @text; }
QMenu::item:disabled { color: @disabled_text; }
QMenu::separator { height: 1px; background: @border; margin: 5px 8px; }
QMenu::icon { padding-left: 8px; }

QDockWidget { color: @muted_text; font-weight: 600; }
QDockWidget::title { background: @window; padding: 7px 10px; text-align: left; }

QTabBar::tab { background: transparent; color: @muted_text; padding: 6px 12px; border: 0;
    border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: @text; border-bottom-color: @accent; }
QTabBar::tab:hover { color: @text; }
QTabWidget::pane { border: 0; border-top: 1px solid @border; }

QTreeView, QTableView, QListView { background: @panel; border: 0; outline: 0; alternate-background-color: @raised; }
QTreeView::item, QListView::item { padding: 3px 2px; }
QTableView::item { padding: 0 8px; }
QTreeView::item:hover, QListView::item:hover, QTableView::item:hover { background: @hover; }
QTreeView::item:selected, QListView::item:selected, QTableView::item:selected {
    background: @accent_soft; color: @text; }
QHeaderView::section { background: @window; color: @muted_text; border: 0; border-bottom: 1px solid @border;
    padding: 5px 8px; }

QStatusBar { background: @window; border-top: 1px solid @border; color: @muted_text; }
QStatusBar::item { border: 0; }

QScrollBar:vertical { background: transparent; width: 11px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 11px; margin: 0; }
QScrollBar::handle { background: @border; border-radius: 4px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: @disabled_text; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
"""
