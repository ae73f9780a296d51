"""Plain charts as SVG: lines over a linear axis, with a linear or a logarithmic one upwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 800, 340, 64, 210, 36, 44
FONT = 'font-family="sans-serif" font-size="12"'
COLOURS = ("#0b6e4f", "#c1292e", "#235789", "#f1a208", "#6c4ab6", "#555555")


@dataclass(frozen=True)
class Line:
    """A curve; `steps` draws it as stairs, `dashed` as a threshold."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    steps: bool = False


@dataclass(frozen=True)
class Axis:
    """What an axis shows, from where to where, with marks at these values."""

    name: str
    low: float
    high: float
    marks: Sequence[float]
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.part(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.part(value) * (HEIGHT - TOP - BOTTOM)


def _text(x: float, y: float, text: str, anchor: str = "middle", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _frame(title: str, across: Axis, up: Axis) -> list[str]:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 20, title, "start", 'font-size="14" font-weight="bold"'),
    ]
    for mark in up.marks:
        y = _y(up, mark)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{mark:g}", "end"))
    for mark in across.marks:
        parts.append(_text(_x(across, mark), HEIGHT - BOTTOM + 16, f"{mark:g}"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across.name))
    parts.append(_text(14, HEIGHT / 2, up.name, "middle", f'transform="rotate(-90 14 {HEIGHT / 2})"'))
    return parts


def chart(title: str, across: Axis, up: Axis, lines: Sequence[Line]) -> str:
    """The chart as the text of an SVG file."""
    parts = _frame(title, across, up)
    for index, line in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        places = [(_x(across, x), _y(up, y)) for x, y in line.points]
        path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
        for x, y in places[1:]:
            path += f"H{x:.1f}V{y:.1f}" if line.steps else f"L{x:.1f} {y:.1f}"
        dashes = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        y = TOP + 8 + 20 * index
        parts.append(f'<path d="M{WIDTH - RIGHT + 12} {y - 4}h18" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts.append(_text(WIDTH - RIGHT + 36, y, line.name, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"
