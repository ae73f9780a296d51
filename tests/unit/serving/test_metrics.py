import pytest

from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.metrics import ErrorClass, Metrics, Protocol
from fairlead_serving.settings import parse_settings


def metrics(in_flight: int = 0) -> Metrics:
    return Metrics(parse_settings({"MODEL_NAME": "iris", "MODEL_VERSION": "3"}), Lifecycle(), lambda: in_flight)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_error_class_exists_before_the_first_request(error_class: ErrorClass) -> None:
    lines = metrics().render().decode().splitlines()
    word = f'error_class="{error_class}"'
    counts = [line for line in lines if line.startswith("fairlead_serving_requests_total") and word in line]
    assert {count for count in counts if count.endswith(" 0.0")} == set(counts) != set()


def test_requests_and_durations_are_counted_by_protocol() -> None:
    counted = metrics()
    counted.answered(Protocol.MLFLOW, 200, ErrorClass.NONE, 0.004)
    text = counted.render().decode()
    labels = 'code="200",error_class="",model="iris",protocol="mlflow",version="3"'
    assert f"fairlead_serving_requests_total{{{labels}}} 1.0" in text
    labels = 'model="iris",protocol="mlflow",version="3"'
    assert f'fairlead_serving_request_duration_seconds_bucket{{le="0.0025",{labels}}} 0.0' in text
    assert f'fairlead_serving_request_duration_seconds_bucket{{le="0.005",{labels}}} 1.0' in text


def test_the_model_is_told_by_an_info_metric_and_readiness_and_the_line_by_gauges() -> None:
    told = metrics(in_flight=7)
    told.model_loaded(flavor="sklearn-skops", backend="scikit-learn")
    text = told.render().decode()
    assert text.count("fairlead_serving_model_info{") == 1
    info = next(line for line in text.splitlines() if line.startswith("fairlead_serving_model_info{"))
    for label in ('digest="unverified"', 'flavor="sklearn-skops"', 'backend="scikit-learn"', 'served_name="iris"'):
        assert label in info
    assert "fairlead_serving_ready 0.0" in text
    assert "fairlead_serving_in_flight_requests 7.0" in text
