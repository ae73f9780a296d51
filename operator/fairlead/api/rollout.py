"""`spec.rollout` of a ModelDeployment: how a new revision earns its traffic."""

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.model import ATOMIC, ApiModel, cel, validated
from fairlead.api.scalars import Duration, Latency, LatencyOrOff, Percentage

Weight = Annotated[int, Field(ge=1, le=100)]
Requests = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Step(ApiModel):
    """A share of the traffic, and what it takes to leave it."""

    weight: Weight = Field(description="The candidate's share of the traffic, in percent.")
    min_requests: Requests | None = Field(
        None, description="How many requests the candidate has to answer here; ceil(3 / checks.maxErrorRate) if absent."
    )
    min_duration: Duration | None = Field(None, description="How long the step takes at least; 30s when absent.")
    approval: Literal["auto", "manual"] | None = Field(
        None, description="manual: the next step waits until somebody approves of it; auto when absent."
    )


DEFAULT_STEPS = (Step(weight=5), Step(weight=25), Step(weight=50))


class Canary(ApiModel):
    """The candidate gets live traffic in steps."""

    model_config = validated(
        cel(
            "!has(self.steps) || self.steps.all(i, step, i == 0 || self.steps[i - 1].weight < step.weight)",
            "steps: expected weights that rise",
            field_path=".steps",
        )
    )
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=10, json_schema_extra=ATOMIC)] | None = Field(
        None, description="The shares, one after the other; 5, 25 and 50 percent when absent."
    )
    failover: bool | None = Field(
        None,
        description="Whether stable answers what fails on the candidate; when absent, yes for the built-in server and "
        "no for a container, whose requests may have side effects.",
    )
    attempt_timeout: Latency | None = Field(
        None,
        description="How long the candidate may take before stable answers instead; when absent, three times "
        "checks.maxLatencyP99, at least 1s, or a third of requestTimeout when latency is not judged.",
    )
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="The candidate's pods; as many as its weight needs when absent."
    )


class Shadow(ApiModel):
    """Before that, the candidate gets a copy of the traffic. Its answers reach nobody."""

    percent: Weight = Field(20, description="How much of the traffic is copied, in percent.")
    min_requests: Requests = Field(150, description="How many requests the candidate has to answer.")
    min_duration: Duration = Field("1m", description="How long the shadow takes at least.")
    on_pass: Literal["canary", "hold"] = Field("canary", description="What follows when nothing speaks against it.")


def _at_most(name: str, percent: int) -> dict[str, str]:
    # The API server checks the schema's own default, an empty object, before the fields' defaults are in it.
    rule = f"!has(self.{name}) || double(self.{name}.replace('%', '')) <= {percent}.0"
    return cel(rule, f"{name}: expected at most {percent}%", got=f"self.{name}", field_path=f".{name}")


class Checks(ApiModel):
    """What a revision has to keep."""

    model_config = validated(_at_most("maxErrorRate", 50), _at_most("alpha", 20))
    max_error_rate: Percentage = Field("2%", description="The share of requests that may fail.")
    max_latency_p99: LatencyOrOff = Field(
        "off",
        alias="maxLatencyP99",
        description='What 99 % of the answers have to be faster than; "off" (in quotes): latency is not judged.',
    )
    mode: Literal["enforce", "observe"] = Field("enforce", description="observe: verdicts are told, and nothing else.")
    alpha: Percentage = Field(
        "1%", description="How often at most a revision as good as stable may be rolled back, over a whole rollout."
    )


class Guard(ApiModel):
    """After the promotion the revision before keeps a share, so that both see the same minutes."""

    model_config = validated(
        cel(
            "!has(self.keepWarm) || self.keepWarm != 'none' || !has(self.controlPercent) || self.controlPercent == 0",
            "keepWarm: expected full or one beside a controlPercent above 0",
        )
    )
    duration: Duration = Field("10m", description="How long.")
    control_percent: Annotated[int, Field(ge=0, le=50)] = Field(
        5, description="The share of the revision before, in percent."
    )
    keep_warm: Literal["full", "one", "none"] = Field(
        "full", description="How many of its pods stay: all, one, or none."
    )
