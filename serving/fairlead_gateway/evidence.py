"""The series of the gateway, as Prometheus text: Envoy's counters, and what the gateway says of itself."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fairlead_gateway.counters import PREFIX, STATS_PATH, Series, read_counters
from fairlead_gateway.envoy_admin import AdminError, EnvoyAdmin
from fairlead_gateway.gateway import Gateway, Standing
from fairlead_gateway.render import Deployment

FRESH_SECONDS = 0.2
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Evidence:
    """Reads Envoy's counters at most every 200 ms, however many ask."""

    def __init__(self, admin: EnvoyAdmin, gateway: Gateway, clock: Callable[[], float]) -> None:
        self._admin = admin
        self._gateway = gateway
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._started_at = 0.0
        self._counted: Sequence[Series] = ()

    async def evidence(self) -> str:
        """Everything, for the operator. Raises AdminError."""
        return await self._text(messages=True)

    async def metrics(self) -> str:
        """The same without messages, which may tell of other people's resources. Raises AdminError."""
        return await self._text(messages=False)

    async def _text(self, *, messages: bool) -> str:
        async with self._reading:
            if self._clock() - self._read_at >= FRESH_SECONDS:
                # Stamped before it is asked: what happens meanwhile may or may not be counted, and belongs to later.
                read_at, started_at = self._clock(), self._admin.started_at()
                answer = await self._admin.get_json(STATS_PATH)
                self._counted = _counted(answer, self._gateway.standing.deployments)
                self._read_at, self._started_at = read_at, started_at
        times = [
            Series(f"{PREFIX}time_seconds", (), self._read_at),
            Series(f"{PREFIX}start_time_seconds", (), self._started_at),
        ]
        return render_text([*times, *standing_series(self._gateway.standing, messages=messages), *self._counted])


def _counted(answer: Any, deployments: Sequence[Deployment]) -> Sequence[Series]:
    try:
        return read_counters(answer, deployments)
    except (KeyError, TypeError) as error:
        raise AdminError(f"{STATS_PATH}: expected Envoy's statistics, got another shape: {error!r}") from None


def standing_series(standing: Standing, *, messages: bool) -> Iterable[Series]:
    """What the gateway says of itself, one ModelDeployment after the other."""
    for name in sorted({*standing.applied, *standing.rejected, *standing.rejections}):
        owner = ("modeldeployment", name)
        if accepted := standing.applied.get(name):
            epoch, generation = accepted.version
            yield Series(f"{PREFIX}traffic_generation", (owner,), generation)
            yield Series(f"{PREFIX}traffic_epoch", (owner,), epoch)
        yield Series(f"{PREFIX}rejections_total", (owner,), standing.rejections.get(name, 0))
        if rejection := standing.rejected.get(name):
            told = (("message", rejection.message),) if messages else ()
            why = (("generation", str(rejection.generation)), ("reason", str(rejection.reason)))
            yield Series(f"{PREFIX}rejected", (owner, *why, *told), 1)


def render_text(series: Iterable[Series]) -> str:
    """Prometheus' text format; the series of one name stand together."""
    by_name: dict[str, list[Series]] = {}
    for item in series:
        by_name.setdefault(item.name, []).append(item)
    lines: list[str] = []
    for name, items in by_name.items():
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines += [f"{name}{_labels(item.labels)} {_number(item.value)}" for item in items]
    return "\n".join([*lines, ""])


def _labels(labels: Sequence[tuple[str, str]]) -> str:
    inner = ",".join(f'{key}="{value.translate(_ESCAPED)}"' for key, value in labels)
    return f"{{{inner}}}" if inner else ""


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
