import pytest
from tests.bench.gateway.generator import parse_round


def test_microseconds_of_wrk_become_milliseconds_and_a_rate() -> None:
    line = (
        '{"requests": 4000, "microseconds": 2000000, "failed": 3, "p50": 250, "p90": 500, "p99": 1500, "mean": 260.5}'
    )
    found = parse_round(f"Running 2s test\nLatency ...\n{line}\n")
    assert (found.requests_per_second, found.failed) == (2000, 3)
    assert (found.p50_ms, found.p90_ms, found.p99_ms) == (0.25, 0.5, 1.5)


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1\n"])
def test_other_output_is_named(output: str) -> None:
    with pytest.raises(ValueError, match="wrk: expected a line of JSON at its end"):
        parse_round(output)
