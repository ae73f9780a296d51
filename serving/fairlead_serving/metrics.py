"""What the server counts, for Prometheus."""

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)

from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.settings import Settings

_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ErrorClass(StrEnum):
    """Whose fault an answer is. A client's mistake must never look like a bad model."""

    NONE = ""
    CLIENT = "client"
    MODEL = "model"
    OVERLOAD = "overload"
    TIMEOUT = "timeout"


class Protocol(StrEnum):
    """How predictions are asked for: the Open Inference Protocol, or MLflow's scoring protocol."""

    OIP = "oip"
    MLFLOW = "mlflow"


_USUAL_CODES = (
    (ErrorClass.NONE, 200),
    (ErrorClass.CLIENT, 400),
    (ErrorClass.CLIENT, 422),
    (ErrorClass.MODEL, 500),
    (ErrorClass.OVERLOAD, 429),
    (ErrorClass.OVERLOAD, 503),
    (ErrorClass.TIMEOUT, 504),
)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, in_flight: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, of no use to rates
        self.registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self._model = {"model": settings.model_name or settings.served_name, "version": settings.model_version}
        self._requests = Counter(
            "fairlead_serving_requests",
            "Requests for predictions by protocol, HTTP code, and whose fault the answer is.",
            [*self._model, "protocol", "code", "error_class"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "fairlead_serving_request_duration_seconds",
            "Time from the request's head to the answer, in seconds.",
            [*self._model, "protocol"],
            buckets=_BUCKETS_SECONDS,
            registry=self.registry,
        )
        for protocol in Protocol:
            self._seconds.labels(*self._model.values(), protocol)
            for error_class, code in _USUAL_CODES:
                # At zero from the start: a rate over a counter that appears with its first error misses that error.
                self._requests.labels(*self._model.values(), protocol, str(code), error_class)
        ready = Gauge("fairlead_serving_ready", "1 while the server wants traffic.", registry=self.registry)
        ready.set_function(lambda: float(lifecycle.ready))
        waiting = Gauge(
            "fairlead_serving_in_flight_requests",
            "Requests that wait for the model or keep it busy.",
            registry=self.registry,
        )
        waiting.set_function(lambda: float(in_flight()))
        self._info = Info("fairlead_serving_model", "The model that is served.", registry=self.registry)
        self._served = {"served_name": settings.served_name, "digest": settings.model_digest, **self._model}
        self.model_loaded(flavor="", backend="")

    def model_loaded(self, *, flavor: str, backend: str) -> None:
        """Say what answers: the model's flavor, and the code that runs it."""
        self._info.info(self._served | {"flavor": flavor, "backend": backend})

    def answered(self, protocol: Protocol, code: int, error_class: ErrorClass, seconds: float) -> None:
        """Count one request for predictions and its duration."""
        self._requests.labels(*self._model.values(), protocol, str(code), error_class).inc()
        self._seconds.labels(*self._model.values(), protocol).observe(seconds)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
