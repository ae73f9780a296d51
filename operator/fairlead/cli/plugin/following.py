"""Looks at one resource once, again and again, or until a pipeline may go on."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from fairlead.api.kinds import MODEL_DEPLOYMENT, ResourceType
from fairlead.api.resource import ModelDeployment, TrainingJob, parse_model_deployment, parse_training_job
from fairlead.cli.plugin.cluster import Body, UserCluster
from fairlead.cli.plugin.deployment_view import describe_deployment
from fairlead.cli.plugin.document import deployment_document, training_document
from fairlead.cli.plugin.figures import spell_time
from fairlead.cli.plugin.running import Exit, Screen, Stop
from fairlead.cli.plugin.summary import deployment_line, training_line
from fairlead.cli.plugin.training_view import describe_training
from fairlead.cli.plugin.waiting import Ends, Judgement, Progress, judge_deployment, judge_training, known_ends
from fairlead.ports import Clock

_REDRAWS_PER_SECOND = 2


@dataclass(frozen=True, slots=True)
class Seen:
    """One resource of either kind, and the words for it."""

    deployment: ModelDeployment | None
    training: TrainingJob | None

    def lines(self, clock: Clock, screen: Screen) -> list[Text]:
        """All that there is to say."""
        if self.deployment:
            return describe_deployment(self.deployment, clock.now(), screen.glyphs)
        return describe_training(self.training, clock.now()) if self.training else []

    def line(self) -> str:
        """The same in a line."""
        if self.deployment:
            return deployment_line(self.deployment)
        return training_line(self.training) if self.training else ""

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        if self.deployment:
            return deployment_document(self.deployment)
        return training_document(self.training) if self.training else {}

    def judged(self, version: str, known: Ends) -> Judgement:
        """Whether it is where a pipeline wants it."""
        if self.deployment:
            return judge_deployment(self.deployment, version, known)
        return judge_training(self.training) if self.training else Judgement(Progress.PENDING, "")


def see(resource: ResourceType, body: Body) -> Seen:
    """The resource in `body`. InvalidResource when it fits no schema that we know."""
    if resource is MODEL_DEPLOYMENT:
        return Seen(parse_model_deployment(body), None)
    return Seen(None, parse_training_job(body))


def show_once(seen: Seen, clock: Clock, screen: Screen, *, as_json: bool) -> None:
    """To standard output."""
    if as_json:
        screen.show([json.dumps(seen.document(), indent=2)])
    else:
        screen.show(seen.lines(clock, screen))


class Picture:
    """What is on the screen while something is followed: drawn anew on a terminal, else a line for each change."""

    def __init__(self, clock: Clock, screen: Screen) -> None:
        self._clock = clock
        self._screen = screen
        self._seen: Seen | None = None
        self._last = ""

    def __rich__(self) -> Group:
        """Drawn twice a second, so that times go on when nothing else does."""
        return Group(*(self._seen.lines(self._clock, self._screen) if self._seen else ()))

    def show(self, seen: Seen, note: str = "") -> None:
        """The newest. `note`: what a pipeline waits for, part of the line."""
        self._seen = seen
        line = f"{seen.line()}{f' ({note})' if note else ''}"
        if not self._screen.console.is_terminal and line != self._last:
            self._screen.show([f"{spell_time(self._clock.now())} {line}"])
        self._last = line

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draws while inside, on a terminal."""
        if not self._screen.console.is_terminal:
            yield
            return
        live = Live(self, console=self._screen.console, refresh_per_second=_REDRAWS_PER_SECOND)
        with live:
            yield


async def watch(cluster: UserCluster, resource: ResourceType, name: str, picture: Picture) -> Exit:
    """Until the resource is gone or somebody interrupts."""
    with picture.drawn():
        async with aclosing(cluster.follow(resource, name)) as changes:
            async for body in changes:
                if body is None:
                    raise Stop(f"{name} was deleted", Exit.FAILED)
                picture.show(see(resource, body))
    return Exit.DONE


async def wait(
    cluster: UserCluster, resource: ResourceType, name: str, *, version: str, seconds: float | None, picture: Picture
) -> Judgement:
    """Until the version is out or has failed. Stop when the time is over, or the resource is gone."""
    known: Ends | None = None
    judgement = Judgement(Progress.PENDING, "nothing was seen")
    try:
        async with asyncio.timeout(seconds):
            with picture.drawn():
                async with aclosing(cluster.follow(resource, name)) as changes:
                    async for body in changes:
                        if body is None:
                            raise Stop(f"{name} was deleted", Exit.FAILED)
                        seen = see(resource, body)
                        if known is None:
                            known = known_ends(seen.deployment) if seen.deployment else frozenset()
                        judgement = seen.judged(version, known)
                        picture.show(seen, judgement.text if judgement.progress is Progress.PENDING else "")
                        if judgement.progress is not Progress.PENDING:
                            return judgement
    except TimeoutError:
        pass
    raise Stop(f"not there within {seconds:g}s; last seen: {judgement.text}", Exit.TIMED_OUT)
