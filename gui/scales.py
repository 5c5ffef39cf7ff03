"""Scales: from a number to a colour. Sequential ones are viridis and cividis, a diverging one is for signed numbers,
and one in reds for alarms; all of them keep their order for colour-blind readers.

The more, the further from the canvas: the darker on a light one, the brighter on a dark one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gui.theme import Swatch, Theme, mix

Floats = NDArray[np.float64]

ENTRIES = 64
"""Colours of a ramp; more cannot be told apart, and a painter batches boxes by colour."""

LEAST_CONTRAST = 4.5
"""Of text on its box: level AA of the Web Content Accessibility Guidelines 2.2."""

MOST_DECADES = 8
"""A logarithmic scale shows no more below its top, or single tiny numbers would squeeze all others."""

_WHITE, _BLACK, _LIGHT, _DARK = "#ffffff", "#000000", "#f4f6fa", "#14181f"

# Every sixteenth of the published maps (CC0); straight lines between are within 7/255 of them.
_VIRIDIS = (
    "440154 481769 472c7a 423f85 3b518b 33628d 2c718e 26818e 21908c "
    "1f9f88 27ad80 3dbc73 5cc862 81d34c aadc31 d5e219 fde725"
)
_CIVIDIS = (
    "00204d 002b68 05366e 2c416c 404d6b 51586c 60646f 6e6f73 7c7b78 "
    "8b8779 9b9477 aca174 bcaf6f cebc67 e0cb5d f2da4f ffea46"
)
_RAMPS = {
    "viridis": tuple(f"#{color}" for color in _VIRIDIS.split()),
    "cividis": tuple(f"#{color}" for color in _CIVIDIS.split()),
}
# From the Okabe-Ito blue over the quiet middle to their vermilion; lightness falls on both sides alike.
_SIGNED = {
    False: ("#004a7c", "#0072b2", "#6aaed6", "#bfd9ea", "#e4e6ea", "#f3cdb0", "#eb9a5e", "#d55e00", "#8f3d00"),
    True: ("#8fd3ff", "#45a9e6", "#1f77ad", "#2a5574", "#434a55", "#754a2d", "#b0591a", "#ee7d26", "#ffb57d"),
}
_ALARMS = {
    False: ("#f7b3be", "#e8637a", "#c8102e", "#8c0a20"),
    True: ("#8c2238", "#c42a49", "#f2405f", "#ff8a9c"),
}
_ALARM = {False: "#c8102e", True: "#f2405f"}


@dataclass(frozen=True, slots=True)
class Tick:
    """A number at its place on a colour bar, 0 at its beginning and 1 at its end."""

    position: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Where numbers stand between `low` and `high`: `is_log` by their order of magnitude, else by their size.

    Of a scale that `is_binary` round numbers are the powers of two.
    """

    low: float
    high: float
    is_log: bool = False
    is_binary: bool = False

    def positions(self, values: Floats) -> Floats:
        """0 to 1; what lies outside stands at the end that it is nearer to, NaN stays NaN."""
        if self.is_log:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.log(values / self.low) / math.log(self.high / self.low)
        else:
            values = (values - self.low) / (self.high - self.low)
        clipped: Floats = np.clip(values, 0.0, 1.0)
        return clipped

    def entries(self, values: Floats) -> NDArray[np.uint8]:
        """The place of each number in a ramp of `ENTRIES`; of NaN it does not matter."""
        scaled = np.nan_to_num(self.positions(values)) * ENTRIES
        return np.minimum(scaled, ENTRIES - 1).astype(np.uint8)

    def ticks(self, text: Callable[[float], str]) -> tuple[Tick, ...]:
        """Both ends, and what lies best between them."""
        middle = self._middle()
        places = self.positions(np.array([self.low, middle, self.high]))
        numbers = zip(places.tolist(), (self.low, middle, self.high), strict=True)
        return tuple(Tick(place, text(number)) for place, number in numbers)

    def _middle(self) -> float:
        if not self.is_log:
            return (self.low + self.high) / 2
        center = math.sqrt(self.low * self.high)
        around = _below(center, self.is_binary), _above(center, self.is_binary)
        return min(around, key=lambda step: abs(math.log(step / center)))


def steady_scale(values: Floats, *, is_log: bool, is_signed: bool = False, is_binary: bool = False) -> Scale | None:
    """The scale of the numbers that are finite, its ends rounded outwards to 1, 2 or 5 times a power of ten (of two
    where `is_binary`), so that it seldom differs from step to step. None where there is nothing to scale."""
    known = values[np.isfinite(values)]
    if is_log:
        known = known[known > 0]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    if is_signed:
        high = _above(max(abs(low), abs(high)), is_binary)
        return Scale(-high, high)
    if not is_log:
        return Scale(0.0, _above(high, is_binary))
    top = _above(high, is_binary)
    bottom = max(_below(low, is_binary), _below(top * 10.0**-MOST_DECADES, is_binary))
    return Scale(bottom / 2 if bottom == top else bottom, top, True, is_binary)


def _above(value: float, is_binary: bool) -> float:
    """The first round number that is not less; 1 for nothing."""
    if value <= 0:
        return 1.0
    return 2.0 ** math.ceil(math.log2(value)) if is_binary else _step_at(value, 0 if _is_step(value) else 1)


def _below(value: float, is_binary: bool) -> float:
    return 2.0 ** math.floor(math.log2(value)) if is_binary else _step_at(value, 0)


def _is_step(value: float) -> bool:
    return math.isclose(value, _step_at(value, 0), rel_tol=1e-9)


def _step_at(value: float, more: int) -> float:
    """The last of 1, 2, 5, 10, … that is not more than the value, or the one `more` steps after it."""
    exponent = math.floor(math.log10(value) + 1e-12)
    head = value / 10.0**exponent
    number = sum(head >= step * (1 - 1e-9) for step in (1, 2, 5)) - 1 + more
    # From its text, as 10.0 ** -5 is no multiple of 0.00001.
    return float(f"{(1, 2, 5)[number % 3]}e{exponent + number // 3}")


def ramp(name: str, theme: Theme) -> tuple[Swatch, ...]:
    """`ENTRIES` swatches from little to much: "viridis", "cividis", "signed" or "alarm"."""
    return _ramp(name, theme.is_dark)


def alarm_swatch(theme: Theme) -> Swatch:
    """For a value that is NaN or infinite; never without its mark."""
    return swatch_on(_ALARM[theme.is_dark], theme.is_dark)


@cache
def _ramp(name: str, is_dark: bool) -> tuple[Swatch, ...]:
    if name in _RAMPS:
        anchors = _RAMPS[name] if is_dark else _RAMPS[name][::-1]
    else:
        anchors = {"signed": _SIGNED, "alarm": _ALARMS}[name][is_dark]
    places = np.linspace(0, len(anchors) - 1, ENTRIES).tolist()
    return tuple(swatch_on(_between(anchors, place), is_dark) for place in places)


def _between(anchors: tuple[str, ...], place: float) -> str:
    before = min(int(place), len(anchors) - 2)
    return mix(anchors[before + 1], anchors[before], place - before)


def swatch_on(fill: str, is_dark: bool) -> Swatch:
    """A box filled with a colour, and texts that can be read on it."""
    text = _readable_on(fill)
    border = mix(_WHITE if is_dark else _BLACK, fill, 0.22)
    muted = next(
        color for share in (0.78, 0.86, 0.93, 1.0) if contrast(color := mix(text, fill, share), fill) >= LEAST_CONTRAST
    )
    return Swatch(fill, border, text, muted, fill)


def _readable_on(fill: str) -> str:
    """The softer pair where that suffices; one of black and white always does."""
    soft = max(_LIGHT, _DARK, key=lambda color: contrast(color, fill))
    return soft if contrast(soft, fill) >= LEAST_CONTRAST else max(_WHITE, _BLACK, key=lambda c: contrast(c, fill))


def contrast(color: str, other: str) -> float:
    """Between two "#rrggbb", 1 to 21, by the formula of the Web Content Accessibility Guidelines."""
    dark, light = sorted((_luminance(color), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def plain(value: float) -> str:
    """A round number as short as can be: "0.02", "5e−7"."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}".replace("-", "−") if abs(value) < 1e3 else f"{value:,.0f}".replace("-", "−")
    head, exponent = f"{value:.2e}".split("e")
    return f"{float(head):g}e{int(exponent)}".replace("-", "−")
