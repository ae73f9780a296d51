"""A policy from the command line."""

from argparse import ArgumentTypeError

import pytest

from fairlead.cli.whatif import InvalidPolicy, InvalidRecord, parse_setting, policy_with
from fairlead.core.evidence.policy import Mode, Policy


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("alpha=0.001", ("alpha", 0.001)),
        ("steps_percent=[5,50]", ("steps_percent", [5, 50])),
        ("failover=false", ("failover", False)),
        ("mode=observe", ("mode", "observe")),
    ],
)
def test_a_setting_is_json_or_a_word(text: str, setting: tuple[str, object]) -> None:
    assert parse_setting(text) == setting


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="expected FIELD=VALUE, got 'alpha'"):
        parse_setting("alpha")


def test_settings_change_their_fields_and_no_other() -> None:
    policy = policy_with(Policy(alpha=0.05), [("mode", "observe"), ("steps_percent", [1, 2])])
    assert policy == Policy(alpha=0.05, mode=Mode.OBSERVE, steps_percent=(1, 2))


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        (("alhpa", 1), InvalidRecord, "policy: expected fields among"),
        (("alpha", 0.9), InvalidPolicy, "alpha: expected 1e-06 to 0.2, got 0.9"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting: tuple[str, object], error: type[ValueError], message: str) -> None:
    with pytest.raises(error, match=message):
        policy_with(Policy(), [setting])
