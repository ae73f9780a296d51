"""Bars say how far something is, to the eye and to a program."""

from math import nan

import pytest

from fairlead.api.traffic import Arm, ArmRole
from fairlead.cli.plugin.bars import BLOCKS, PLAIN, WIDTH, Glyphs, bar, evidence_fraction, traffic_bar


def arms(*weights: int) -> list[Arm]:
    """Arms of the three roles in turn."""
    return [Arm(revision=f"r-{at}", role=list(ArmRole)[at], weight=weight) for at, weight in enumerate(weights)]


@pytest.mark.parametrize(
    ("fraction", "filled"),
    [(-1, 0), (nan, 0), (0, 0), (0.001, 1), (0.5, WIDTH // 2), (0.999, WIDTH - 1), (1, WIDTH), (7, WIDTH)],
)
def test_a_little_shows_and_only_all_is_full(fraction: float, filled: int) -> None:
    assert bar(fraction, PLAIN).plain == "[" + "#" * filled + "." * (WIDTH - filled) + "]"


@pytest.mark.parametrize(
    ("value", "threshold", "fraction"),
    [(0, 100, 0), (1, 100, 0), (10, 100, 0.5), (100, 100, 1), (1e9, 100, 1), (nan, 100, 0), (50, 0, 0), (50, 1, 0)],
)
def test_evidence_is_shown_by_its_logarithm(value: float, threshold: float, fraction: float) -> None:
    assert evidence_fraction(value, threshold) == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("weights", "shown"),
    [
        ((100,), "=" * 24),
        ((95, 5), "=" * 23 + "#"),
        ((99, 1), "=" * 23 + "#"),
        ((50, 50), "=" * 12 + "#" * 12),
        ((1, 99), "=" + "#" * 23),
        ((100, 0), "=" * 24),
        ((98, 1, 1), "=" * 22 + "#-"),
        ((), " " * 24),
    ],
)
def test_whoever_gets_traffic_is_in_the_bar(weights: tuple[int, ...], shown: str) -> None:
    assert traffic_bar(arms(*weights), PLAIN).plain == f"[{shown}]"


@pytest.mark.parametrize("glyphs", [PLAIN, BLOCKS], ids=["plain", "blocks"])
def test_roles_differ_without_colour(glyphs: Glyphs) -> None:
    assert len(set(glyphs.arms.values())) == len(ArmRole)
    assert all(len(text) == 1 for text in (*glyphs.arms.values(), glyphs.full, glyphs.empty))


def test_what_programs_read_is_ascii() -> None:
    assert "".join((*PLAIN.arms.values(), PLAIN.full, PLAIN.empty, PLAIN.good, PLAIN.bad, PLAIN.unknown)).isascii()
