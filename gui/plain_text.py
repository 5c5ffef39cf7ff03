"""Showing texts of a tape as they are: Qt takes what looks like HTML for it, and loads the pictures it names."""

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

_MOST_CHARS = 4_000


class PlainLabel(QLabel):
    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)


def plain_tip(text: str) -> str:
    """For a tooltip, which cannot be told that its text is plain."""
    text = text[:_MOST_CHARS]
    if not Qt.mightBeRichText(text):
        return text
    return f"<p>{escape(text)}</p>".replace("\n", "<br>")
