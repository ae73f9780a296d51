"""Charts as SVG."""

from xml.etree import ElementTree

from tests.bench.evidence.drawing import Axis, Line, chart

ACROSS = Axis("seconds", 0, 10, [0, 5, 10])


def test_a_chart_is_well_formed_and_says_what_it_shows() -> None:
    up = Axis("evidence <log>", 0.01, 100, [0.01, 1, 100], logarithmic=True)
    text = chart("A & B", ACROSS, up, [Line("one", [(0, 1), (10, 1e9)]), Line("two", [(0, 1), (5, 2)], True, True)])
    root = ElementTree.fromstring(text)  # noqa: S314 -- our own text
    said = {node.text for node in root.iter() if node.tag.endswith("text")}
    assert {"A & B", "evidence <log>", "seconds", "one", "two"} <= said


def test_values_beyond_an_axis_stay_on_its_edge() -> None:
    assert (ACROSS.part(-5), ACROSS.part(5), ACROSS.part(99)) == (0, 0.5, 1)
    assert Axis("x", 1, 100, [], logarithmic=True).part(10) == 0.5
