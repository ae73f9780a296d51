from base64 import b64decode

import pytest

from fairlead_serving.errors import SettingsError
from fairlead_serving.settings import parse_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = parse_settings({})
    assert (settings.port, settings.access.deadline_seconds, settings.drain_delay_seconds) == (8080, 600, 5)
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
        ("MODEL_DIGEST", "md5:" + "a" * 64),
        ("REQUEST_DEADLINE_SECONDS", "0"),
        ("MAX_WAITING_REQUESTS", "0"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: expected .*, got {value!r}$"):
        parse_settings({name: value})


def test_a_digest_is_a_sha256_or_unverified() -> None:
    digest = "sha256:" + "0a" * 32
    assert parse_settings({"MODEL_DIGEST": digest}).model_digest == digest
    assert [parse_settings({"MODEL_DIGEST": text}).model_digest for text in ("", "unverified")] == ["unverified"] * 2


def test_username_and_password_come_before_the_token() -> None:
    env = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "p:w", "MLFLOW_TRACKING_TOKEN": "t0ken"}
    basic = parse_settings(env).access.authorization
    assert (basic[:6], b64decode(basic[6:])) == ("Basic ", b"ann:p:w")
    assert parse_settings(env | {"MLFLOW_TRACKING_PASSWORD": ""}).access.authorization == "Bearer t0ken"
    assert parse_settings({}).access.authorization == ""


def test_credentials_are_never_shown() -> None:
    assert "t0ken" not in repr(parse_settings({"MLFLOW_TRACKING_TOKEN": "t0ken"}))
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_TOKEN: expected printable") as caught:
        parse_settings({"MLFLOW_TRACKING_TOKEN": "t0ken\n"})
    assert "t0ken" not in str(caught.value)
