from tests.soak.tally import Shipped, Tally, is_flat


def tally(**outcomes: str) -> Tally:
    """Four versions: the second and the fourth are bad."""
    found = Tally([Shipped(number, f"r{number}", number % 2 == 0) for number in (1, 2, 3, 4)])
    found.hear([{"revision": revision, "outcome": outcome} for revision, outcome in outcomes.items()])
    return found


def test_every_version_is_told_with_its_end() -> None:
    found = tally(r1="Promoted", r2="RolledBack")
    assert found.describe() == "4 versions, 2 of them bad: 1 NeverBegun, 1 Promoted, 1 RolledBack, 1 Unfinished"
    assert found.lines()[1] == "version 2, bad: RolledBack"
    assert found.decided == 2


def test_a_bad_version_may_be_rolled_back_or_superseded_and_a_good_one_promoted_or_superseded() -> None:
    assert tally(r1="Promoted", r2="Superseded", r3="Superseded", r4="RolledBack").wrong() == []


def test_a_good_version_that_was_rolled_back_and_a_bad_one_that_was_promoted_are_wrong() -> None:
    assert tally(r1="RolledBack", r2="Promoted").wrong() == [
        "version 1 (good): RolledBack",
        "version 2 (bad): Promoted",
    ]


def test_what_has_left_the_short_history_is_remembered() -> None:
    found = tally(r1="Promoted")
    found.hear([{"revision": "r2", "outcome": "RolledBack"}])
    assert found.of(found.shipped[0]) == "Promoted"


def test_memory_that_grows_at_the_start_and_then_no_more_is_flat() -> None:
    assert is_flat([50, 100, 100, 100, 101, 102])
    assert not is_flat([50, 60, 70, 80, 120, 160])
    assert is_flat([50, 200])
