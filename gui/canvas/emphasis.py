"""Differences only: what two steps have alike steps back, so that what differs stands out."""

from dataclasses import replace

import numpy as np

from gui.canvas.scene import Scene
from gui.canvas.states import State
from gui.coloring import Coloration, LegendEntry
from gui.theme import Swatch, Theme, mix

FAINT = 0.4
"""How much of an unchanged box is left of its colours on the canvas."""


def changes_only(scene: Scene, theme: Theme) -> Scene:
    """The scene with everything unchanged in one faint colour."""
    is_plain = scene.states == State.PRESENT
    faint = _faint(theme)
    colors = np.where(is_plain, len(scene.swatches), scene.colors).astype(np.uint8)
    marked = [entry for entry in scene.legend if entry.mark or entry.is_ghost]
    alike = [LegendEntry("Unchanged", faint)] if is_plain.any() else []
    coloration = Coloration(colors, (*scene.swatches, faint), (*alike, *marked), "Differences only")
    return replace(scene, coloration=coloration, changes_only=True)


def _faint(theme: Theme) -> Swatch:
    plain = theme.neutral
    parts = (plain.fill, plain.border, plain.text, plain.muted_text, plain.strong)
    return Swatch(*(mix(part, theme.canvas, FAINT) for part in parts))
