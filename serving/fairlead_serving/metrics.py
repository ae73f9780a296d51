"""What the server counts, for Prometheus."""

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

_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ErrorClass(StrEnum):
    """Whose fault an answer is. A client's mistake must never look like a bad model."""

    NONE = "none"
    CLIENT = "client"
    MODEL = "model"
    OVERLOAD = "overload"
    TIMEOUT = "timeout"


_USUAL_CODE = {
    ErrorClass.NONE: 200,
    ErrorClass.CLIENT: 400,
    ErrorClass.MODEL: 500,
    ErrorClass.OVERLOAD: 503,
    ErrorClass.TIMEOUT: 504,
}


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, of no use to rates
        self.registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self._requests = Counter(
            "fairlead_serving_requests",
            "Inference requests by HTTP code and by whose fault the answer is.",
            ["code", "error_class"],
            registry=self.registry,
        )
        for error_class, code in _USUAL_CODE.items():
            # At zero from the start: a rate over a counter that appears with its first error misses that error.
            self._requests.labels(str(code), error_class)
        self._seconds = Histogram(
            "fairlead_serving_request_duration_seconds",
            "Time from the request's head to the answer, in seconds.",
            buckets=_BUCKETS_SECONDS,
            registry=self.registry,
        )
        ready = Gauge("fairlead_serving_ready", "1 while the server wants traffic.", registry=self.registry)
        ready.set_function(lambda: float(lifecycle.ready))
        Info("fairlead_serving_model", "The model that is served.", registry=self.registry).info(
            {
                "served_name": settings.served_name,
                "model": settings.model_name,
                "version": settings.model_version,
                "digest": settings.model_digest,
            }
        )

    def answered(self, code: int, error_class: ErrorClass, seconds: float) -> None:
        """Count one inference request and its duration."""
        self._requests.labels(str(code), error_class).inc()
        self._seconds.observe(seconds)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
