from tests.demo.outcome import Happened, table


def test_the_table_has_a_line_for_each_with_seconds_in_a_column() -> None:
    lines = table([Happened("version 2, better", 61.24, "promoted"), Happened("users", 240.0, "0 failed")]).splitlines()
    assert lines == [
        "  version 2, better     61.2 s  promoted",
        "  users                240.0 s  0 failed",
    ]
    assert table([]) == ""
