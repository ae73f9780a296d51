"""Bars: plain characters of a fixed width where the output is read by programs, blocks and colours on a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, log

from rich.text import Text

from fairlead.api.traffic import Arm, ArmRole

WIDTH = 24


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What bars and ticks are made of. `arms` has one character for each role, so that shares differ without colour."""

    arms: dict[ArmRole, str]
    full: str
    empty: str
    good: str
    bad: str
    unknown: str


PLAIN = Glyphs({ArmRole.STABLE: "=", ArmRole.CANARY: "#", ArmRole.PREVIOUS: "-"}, "#", ".", "[ok]", "[FAIL]", "[?]")
BLOCKS = Glyphs({ArmRole.STABLE: "█", ArmRole.CANARY: "▓", ArmRole.PREVIOUS: "▒"}, "█", "░", "✔", "✘", "?")
COLOURS = {ArmRole.STABLE: "green", ArmRole.CANARY: "yellow", ArmRole.PREVIOUS: "blue"}


def bar(fraction: float, glyphs: Glyphs, style: str = "") -> Text:
    """WIDTH characters. A little shows as one; the last one is there only when the fraction is 1 or more."""
    if isnan(fraction) or fraction <= 0:
        filled = 0
    elif fraction >= 1:
        filled = WIDTH
    else:
        filled = min(WIDTH - 1, max(1, round(fraction * WIDTH)))
    return Text.assemble("[", (glyphs.full * filled, style), glyphs.empty * (WIDTH - filled), "]")


def evidence_fraction(value: float, threshold: float) -> float:
    """How far evidence has come on a logarithmic scale from 1 (none) to its threshold; 0 without a threshold."""
    if isnan(value) or value <= 1 or threshold <= 1:
        return 0.0
    return min(1.0, log(value) / log(threshold))


def evidence_bar(value: float, threshold: float, glyphs: Glyphs) -> Text:
    """The same as a bar: green at first, yellow from half of the way, red where it acts."""
    fraction = evidence_fraction(value, threshold)
    return bar(fraction, glyphs, "red" if fraction >= 1 else "yellow" if fraction >= 0.5 else "green")


def traffic_bar(arms: Sequence[Arm], glyphs: Glyphs) -> Text:
    """The shares side by side. Whoever gets anything has a character; the greatest share has what is left."""
    widths = [max(1, round(arm.weight * WIDTH / 100)) if arm.weight else 0 for arm in arms]
    if widths:
        widths[max(range(len(arms)), key=lambda at: arms[at].weight)] += WIDTH - sum(widths)
    parts = [(glyphs.arms[arm.role] * width, COLOURS[arm.role]) for arm, width in zip(arms, widths, strict=True)]
    return Text.assemble("[", *parts, "]") if parts else Text("[" + " " * WIDTH + "]")
