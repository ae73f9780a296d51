from tests.bench.gateway.switching import Split, Switches, table
from tests.load import LoadReport

LOAD = LoadReport.from_json(
    '{"url": "http://x/", "planned": 3, "sent": 3, "unsent": 0, "late": 0, "ok": 3, "non2xx": 0, '
    '"non2xx_by_code": {}, "resets": 0, "refused": 0, "unreachable": 0, "timeouts": 0, "wrong_bodies": 0, '
    '"malformed": 0, "connections_opened": 1, "elapsed_seconds": 1.0, "max_delay_seconds": 0.0, "latency": null, '
    '"first_failures": [], "failed": 0}'
)


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    switches = Switches(tuple(float(number) for number in range(200, 0, -1)), LOAD)
    assert [switches.rank(share) for share in (0.5, 0.99, 1)] == [100.0, 198.0, 200.0]
    assert Switches((7.0,), LOAD).rank(0.5) == 7.0


def test_a_split_is_honest_within_its_band_and_without_a_failure() -> None:
    least, most = Split(5, 10_000, 500, 0).band
    assert 420 < least < 500 < most < 580
    assert [Split(5, 10_000, count, 0).honest for count in (least - 1, least, most, most + 1)] == [
        False,
        True,
        True,
        False,
    ]
    assert not Split(5, 10_000, 500, 1).honest


def test_the_tables_name_what_is_outside() -> None:
    text = table(Switches((1.0, 2.0), LOAD), [Split(1, 1000, 500, 0), Split(50, 1000, 500, 0)])
    assert "| 2 | 1.0 | 2.0 | 2.0 | 100 | 3 | 0 |" in text
    assert "| 1 % | 1,000 | 500 (outside) |" in text
    assert "| 50 % | 1,000 | 500 | " in text
