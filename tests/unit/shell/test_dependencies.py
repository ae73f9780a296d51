"""What is said about the systems beside us, and when."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from tests.unit.shell.in_memory import FakeClock, until

from fairlead.errors import MetricsError, RegistryError
from fairlead.shell.dependencies import Dependencies
from fairlead.shell.telemetry import Telemetry


class Answers:
    """A dependency that says these, one after the other, and then goes on with the last."""

    def __init__(self, *said: Exception | None) -> None:
        self.said = list(said)
        self.asked = 0

    async def check(self) -> None:
        said = self.said[min(self.asked, len(self.said) - 1)]
        self.asked += 1
        if said:
            raise said


def gauge(telemetry: Telemetry, name: str) -> float | None:
    return telemetry.registry.get_sample_value("fairlead_dependency_up", {"dependency": name})


async def running(dependencies: Dependencies, done: Callable[[], object]) -> None:
    task = asyncio.create_task(dependencies.run(30.0))
    await until(done)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_each_is_asked_again_after_a_pause_and_the_gauge_is_what_it_said_last() -> None:
    clock, telemetry = FakeClock(), Telemetry()
    mlflow, prometheus = Answers(RegistryError("RegistryUnavailable", "down"), None), Answers(None, MetricsError("x"))
    checks = {"mlflow": mlflow.check, "prometheus": prometheus.check}
    await running(Dependencies(checks, clock, telemetry), lambda: prometheus.asked == 2)
    assert set(clock.slept) == {30.0}
    assert gauge(telemetry, "mlflow") == 1
    assert gauge(telemetry, "prometheus") == 0


async def test_only_a_change_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="fairlead.dependencies")
    mlflow = Answers(None, None, MetricsError("no answer"), MetricsError("still none"), None)
    await running(Dependencies({"mlflow": mlflow.check}, FakeClock(), Telemetry()), lambda: mlflow.asked == 6)
    told = [(record.levelname, record.getMessage(), getattr(record, "error", "")) for record in caplog.records]
    assert told == [
        ("INFO", "dependency answers", ""),
        ("WARNING", "dependency does not answer", "no answer"),
        ("INFO", "dependency answers", ""),
    ]


async def test_what_is_down_from_the_start_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    mlflow = Answers(MetricsError("no answer"))
    await running(Dependencies({"mlflow": mlflow.check}, FakeClock(), Telemetry()), lambda: mlflow.asked == 2)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_what_is_not_configured_has_no_series() -> None:
    clock, telemetry = FakeClock(), Telemetry()
    await running(Dependencies({}, clock, telemetry), lambda: clock.slept)
    assert gauge(telemetry, "mlflow") is None
