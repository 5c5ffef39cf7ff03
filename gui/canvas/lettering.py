"""The fonts of the graph, with what was measured in them: shared by all renderers of a theme, so that texts are cut to
their room once and not at every step."""

from PySide6.QtGui import QFont

from gui.canvas.labels import Labels
from gui.fonts import text_font
from gui.theme import Theme


class Lettering:
    """Of one theme. For the thread that paints with it."""

    def __init__(self, theme: Theme) -> None:
        sizes = theme.sizes
        self.titles = Labels(text_font(sizes.box_title, QFont.Weight.Medium))
        self.quiet_titles = Labels(text_font(sizes.box_subtitle + 1))
        self.subtitles = Labels(text_font(sizes.box_subtitle))
        self.counts = Labels(text_font(sizes.box_subtitle, QFont.Weight.Medium))
        self.group_titles = Labels(text_font(sizes.group_title, QFont.Weight.DemiBold))
