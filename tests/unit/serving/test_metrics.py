import pytest

from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.metrics import ErrorClass, Metrics
from fairlead_serving.settings import parse_settings


def metrics() -> Metrics:
    return Metrics(parse_settings({"MODEL_NAME": "iris", "MODEL_VERSION": "3"}), Lifecycle())


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_error_class_exists_before_the_first_request(error_class: ErrorClass) -> None:
    lines = metrics().render().decode().splitlines()
    counts = [line for line in lines if line.startswith("fairlead_serving_requests_total") and error_class in line]
    assert len(counts) == 1
    assert counts[0].endswith(" 0.0")


def test_requests_and_durations_are_counted() -> None:
    counted = metrics()
    counted.answered(200, ErrorClass.NONE, 0.004)
    text = counted.render().decode()
    assert 'fairlead_serving_requests_total{code="200",error_class="none"} 1.0' in text
    assert 'fairlead_serving_request_duration_seconds_bucket{le="0.0025"} 0.0' in text
    assert 'fairlead_serving_request_duration_seconds_bucket{le="0.005"} 1.0' in text


def test_the_model_is_told_by_an_info_metric_and_readiness_by_a_gauge() -> None:
    text = metrics().render().decode()
    labels = 'digest="unverified",model="iris",served_name="iris",version="3"'
    assert f"fairlead_serving_model_info{{{labels}}} 1.0" in text
    assert "fairlead_serving_ready 0.0" in text
