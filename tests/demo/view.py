"""The picture on a terminal: where the story is, who gets how much of the traffic, what is known of a new version."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.text import Text

from fairlead.api.resource import ModelDeployment
from fairlead.cli.plugin.bars import Glyphs, traffic_bar
from fairlead.cli.plugin.deployment_view import colour_of
from fairlead.cli.plugin.evidence_view import describe_evidence
from fairlead.cli.plugin.layout import row
from fairlead.cli.plugin.words import PHASES


@dataclass(frozen=True)
class Scene:
    """What there is to show. parts: what was told so far, with seconds; now: what is waited for, and how far it is;
    users: the load generator's last line."""

    current: str = ""
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    deployment: ModelDeployment | None = None
    now: str = ""
    users: str = ""


def draw(scene: Scene, now: datetime, glyphs: Glyphs) -> list[Text]:
    """The lines of the picture."""
    done = " > ".join(f"{title} {seconds:.0f} s" for title, seconds in scene.parts.items())
    return [
        Text("-" * 60, style="dim"),
        row("Story", (f"{done} > ", "dim") if done else "", (scene.current, "bold"), f" {scene.seconds:.0f} s"),
        *([row("Now", scene.now)] if scene.now else []),
        *(draw_rollout(scene.deployment, now, glyphs) if scene.deployment else ()),
        *([row("Users", scene.users)] if scene.users else []),
    ]


def draw_rollout(deployment: ModelDeployment, now: datetime, glyphs: Glyphs) -> Sequence[Text]:
    """Phase, traffic and evidence."""
    status = deployment.status
    slots = (status.previous, status.candidate, status.stable)
    versions = {slot.revision: slot.model_version for slot in slots if slot}
    lines = [row("Phase", (status.phase, colour_of(status.phase)), f", {PHASES[status.phase]}")] if status.phase else []
    if status.traffic and status.traffic.arms:
        shares = [f"{arm.weight}% version {versions.get(arm.revision) or '?'}" for arm in status.traffic.arms]
        lines.append(row("Traffic", traffic_bar(status.traffic.arms, glyphs), " " + ", ".join(shares)))
    if status.traffic and (mirror := status.traffic.mirror):
        lines.append(row("", f"a copy of {mirror.percent}% to version {versions.get(mirror.revision) or '?'}"))
    return [*lines, *(describe_evidence(status.evidence, now, glyphs) if status.evidence else ())]
