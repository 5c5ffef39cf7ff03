"""Texts cut to the room they have, measured once."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetricsF


class Labels:
    """Elides texts in one font and remembers the result with its width. GUI thread, or a thread of its own painter."""

    def __init__(self, font: QFont) -> None:
        self.font = font
        self._metrics = QFontMetricsF(font)
        self._fitted: dict[tuple[str, float], tuple[str, float]] = {}

    def fitted(self, text: str, room: float) -> tuple[str, float]:
        """The text, shortened in its middle where `room` is too narrow, and its width."""
        key = text, round(room)
        if key not in self._fitted:
            elided = self._metrics.elidedText(one_line(text), Qt.TextElideMode.ElideMiddle, room)
            width = self._metrics.horizontalAdvance(elided)
            self._fitted[key] = (elided, width) if width <= room else ("", 0.0)
        return self._fitted[key]

    def width(self, text: str) -> float:
        """Of the whole text, in pixels."""
        return self._metrics.horizontalAdvance(text)

    @property
    def middle(self) -> float:
        """How far below a line's centre its baseline lies, so that capitals look centred."""
        return self._metrics.capHeight() / 2


def wrapped(labels: Labels, text: str, room: float) -> list[str]:
    """The text in lines that fit the room, broken between words; a word that is too long stays whole."""
    lines: list[str] = []
    for word in one_line(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and labels.width(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def one_line(text: str) -> str:
    """Names come from other people's code: no line breaks, no control characters, no more than anyone reads."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:400])
