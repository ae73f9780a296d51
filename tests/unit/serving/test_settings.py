import pytest

from fairlead_serving.errors import SettingsError
from fairlead_serving.settings import parse_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = parse_settings({})
    assert (settings.port, settings.load_deadline_seconds, settings.drain_delay_seconds) == (8080, 600, 5)
    assert str(settings.model_dir) == "/tmp/model"
    assert settings.max_body_bytes == 10 * 1024 * 1024
    assert not settings.allow_pickle


def test_the_served_name_is_the_models_name_unless_it_is_given() -> None:
    assert parse_settings({"MODEL_NAME": "churn"}).served_name == "churn"
    assert parse_settings({"MODEL_NAME": "churn", "SERVED_MODEL_NAME": "shop"}).served_name == "shop"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("LOAD_DEADLINE_SECONDS", "0"),
        ("LOAD_DEADLINE_SECONDS", "nan"),
        ("DRAIN_DELAY_SECONDS", "inf"),
        ("MAX_BODY_BYTES", "1.5"),
        ("ALLOW_PICKLE", "yes"),
        ("MLFLOW_TRACKING_URI", "file:///etc"),
        ("MODEL_DIGEST", "sha256:1234"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: expected .*, got {value!r}$"):
        parse_settings({name: value})
