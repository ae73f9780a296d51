from typing import Any

import pytest

from fairlead_gateway.confirming import Part, Taken, confirmation_path, parse_taken


def test_envoys_word_is_read_for_each_file() -> None:
    stats: list[dict[str, Any]] = [
        {"name": "cluster_manager.cds.version_text", "value": "c1"},
        {"name": "cluster_manager.cds.update_rejected", "value": 2},
        {"name": "http.users.rds.fairlead.version_text", "value": "r1"},
        {"name": "listener_manager.lds.update_rejected", "value": 0},
        {"histograms": {}},
    ]
    assert parse_taken({"stats": stats}) == {
        Part.CLUSTERS: Taken("c1", 2),
        Part.ROUTES: Taken("r1", 0),
        Part.LISTENERS: Taken("", 0),
    }


@pytest.mark.parametrize("answer", [{}, {"stats": None}, {"stats": ["text"]}])
def test_an_answer_without_counters_says_that_nothing_was_taken(answer: dict[str, Any]) -> None:
    assert parse_taken(answer) == {part: Taken() for part in Part}


def test_one_request_asks_for_all_of_it() -> None:
    assert confirmation_path() == (
        "/stats?format=json&filter=^(cluster_manager[.]cds|http[.]users[.]rds[.]fairlead|listener_manager[.]lds)"
        "[.](version_text|update_rejected)$"
    )
