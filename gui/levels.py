"""The recording levels as the app offers and names them."""

from dataclasses import dataclass

from tracer.options import Sampling

TITLES = {"structure": "Structure only", "statistics": "Statistics", "full": "Everything (full)"}


@dataclass(frozen=True, slots=True)
class LevelChoice:
    """One of the choices in the menu: what to record, and what that tells."""

    name: str
    sampling: Sampling
    tip: str


CHOICES = (
    LevelChoice("structure", Sampling("structure"), "Record the graph of every step, and nothing of its numbers"),
    LevelChoice(
        "statistics_10",
        Sampling("statistics", 10),
        "At every 10th step measure the outputs of modules, parameters, gradients and updates",
    ),
    LevelChoice("statistics", Sampling("statistics"), "At every step measure outputs, parameters, gradients, updates"),
    LevelChoice(
        "full", Sampling("full"), "At every step also record every operator, its time and memory; slows training down"
    ),
)


def sampling_text(sampling: Sampling) -> str:
    """ "Structure only", "Statistics every 10th step"; any sampling has one."""
    title = TITLES[sampling.level]
    if sampling.every > 1:
        return f"{title} every {_ordinal(sampling.every)} step"
    return f"{title} every step" if sampling.level == "statistics" else title


def level_text(level: str) -> str:
    """What a single step has."""
    words = {"structure": "structure only", "statistics": "structure and statistics", "full": "everything recorded"}
    return words.get(level, level)


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
