"""The loop: what the watches have heard becomes Envoy's files, and what Envoy says of them becomes known."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairlead_gateway.applying import Applying, Progress
from fairlead_gateway.claims import Accepted, Decision, Rejection, decide_served
from fairlead_gateway.confirming import Part, confirmation_path, parse_taken
from fairlead_gateway.endpoints import Endpoint, ready_endpoints
from fairlead_gateway.envoy_admin import AdminError, EnvoyAdmin
from fairlead_gateway.files import SharedFolder
from fairlead_gateway.heard import Heard
from fairlead_gateway.refusals import Refusals
from fairlead_gateway.render import Deployment, Files, render
from fairlead_gateway.saved import SAVED_FILE, parse_left, parse_saved, render_saved
from fairlead_gateway.traffic import Traffic

ENDPOINTS_FOLDER = "endpoints"
FIRST_LOOK_SECONDS = 0.001
LONGEST_LOOK_SECONDS = 0.25
IDLE_SECONDS = 1.0
UNLIMITED_REQUEST_SECONDS = 3600.0
"""How long clusters are kept for requests without a time limit."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the gateway says of itself. applied: what Envoy serves; complete: nothing of the first look is missing."""

    applied: Mapping[str, Accepted]
    deployments: Sequence[Deployment]
    rejected: Mapping[str, Rejection]
    rejections: Mapping[str, int]
    complete: bool


class Gateway:
    """One namespace's gateway. `claims` and `slices` are filled by the watches."""

    def __init__(self, directory: Path, admin: EnvoyAdmin, clock: Callable[[], float], listen_address: str) -> None:
        self._changed = asyncio.Event()
        self.claims = Heard(self._changed)
        self.slices = Heard(self._changed)
        self._folder = SharedFolder(directory)
        self._admin = admin
        self._clock = clock
        self._listen_address = listen_address
        self._applying = Applying(self._folder, clock)
        self._refusals = Refusals()
        self._envoy_started_at = 0.0
        self._served: dict[str, Accepted] = {}
        self._aimed: Mapping[str, Accepted] = {}
        self._applied: Mapping[str, Accepted] = {}
        self._rejected: Mapping[str, Rejection] = {}
        self._rejections: Counter[str] = Counter()
        self._endpoints: dict[str, tuple[Endpoint, ...]] = {}
        self._complete = False
        self._unexplained: Part | None = None
        self._sliced = 0

    def prepare(self) -> None:
        """Take up what an earlier process left, and write what Envoy needs to start. Raises OSError."""
        saved = self._folder.read(SAVED_FILE)
        if saved is not None:
            self._applied = self._aimed = self._served = parse_saved(saved)
            self._complete = True
        empty = self._render({})
        left = {}
        for part, file in zip(Part, (empty.clusters, empty.routes, empty.listeners), strict=True):
            text = self._folder.read(part.path)
            if text is None:
                text = file.text
                self._folder.write(part.path, text)
            left[part] = text
        self._applying.found(*parse_left(left), self._folder.names(ENDPOINTS_FOLDER))

    @property
    def standing(self) -> Standing:
        """As of now."""
        return Standing(
            self._applied, self._deployments(self._applied), self._rejected, self._rejections, self._complete
        )

    @property
    def _listed(self) -> bool:
        return self.claims.listed and self.slices.listed

    async def run(self) -> None:
        """Forever. Raises OSError when a file cannot be written."""
        look_seconds, progress = FIRST_LOOK_SECONDS, Progress.APPLIED
        while True:
            if self._changed.is_set():
                self._changed.clear()
                self._aim()
                look_seconds = FIRST_LOOK_SECONDS
            pause = self._idle_seconds()
            if self._listed:
                # Not asked before there is something to hear of: it would delay what is to be written now.
                progress = await self._advance(ask=progress is not Progress.APPLIED)
                if progress is not Progress.APPLIED:
                    pause, look_seconds = look_seconds, min(2 * look_seconds, LONGEST_LOOK_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    def _idle_seconds(self) -> float:
        due = self._applying.due
        return IDLE_SECONDS if due is None else max(0.0, min(IDLE_SECONDS, due - self._clock()))

    def _aim(self) -> None:
        """Decide what to serve, and aim at it. Nothing is decided before both lists are known."""
        if not self._listed:
            return
        decision = decide_served(self.claims.objects.values(), self._served, self._refusals.refused)
        self._tell(decision)
        self._refusals.forget(frozenset(self.claims.objects))
        self._served = dict(decision.served)
        self._aimed = self._refusals.hold_back(self._served, self._applied)
        if self._sliced != self.slices.changes:
            self._sliced = self.slices.changes
            self._endpoints = ready_endpoints(self.slices.objects.values())
        grace = {name: item.traffic.request_timeout for name, item in {**self._applied, **self._aimed}.items()}
        seconds = {name: UNLIMITED_REQUEST_SECONDS if limit is None else limit for name, limit in grace.items()}
        self._applying.want(self._render(self._aimed), seconds)

    def _render(self, aimed: Mapping[str, Accepted]) -> Files:
        return render(self._deployments(aimed), str(self._folder.root), self._listen_address)

    def _deployments(self, accepted: Mapping[str, Accepted]) -> list[Deployment]:
        return [
            Deployment(
                name,
                item.traffic,
                {revision: self._endpoints.get(revision, ()) for revision in _revisions(item.traffic)},
            )
            for name, item in accepted.items()
        ]

    async def _advance(self, *, ask: bool) -> Progress:
        """One step: hear what Envoy says of what was written, and write what may be written now."""
        if (started_at := self._admin.started_at()) != self._envoy_started_at:
            self._envoy_started_at = started_at
            self._applying.envoy_started()
        if ask:
            with contextlib.suppress(AdminError):
                self._applying.heard(parse_taken(await self._admin.get_json(confirmation_path())))
        progress = self._applying.step()
        match progress:
            case Progress.APPLIED:
                self._take_as_applied()
            case Progress.REFUSED:
                await self._blame()
        return progress

    def _take_as_applied(self) -> None:
        if self._aimed is self._applied and self._complete:
            return
        same = self._aimed == self._applied and self._complete
        for name, item in self._aimed.items():
            if name not in self._applied or self._applied[name].version != item.version:
                extra = {"modeldeployment": name, "epoch": item.version[0], "generation": item.version[1]}
                _log.info("traffic applied", extra=extra)
        self._refusals.applied(self._aimed)
        self._applied, self._complete, self._unexplained = self._aimed, True, None
        if not same:
            self._folder.write(SAVED_FILE, render_saved(self._applied))
        if self._refusals.trying:
            self._changed.set()

    async def _blame(self) -> None:
        """Go back to what Envoy has, without the one whose news it refused."""
        part = self._applying.refused_part
        words = await self._words(part)
        told = f"Envoy refused the {part.name.lower() if part else 'files'}"

        def message(name: str) -> str:
            return f"{told}: {words.get(name, 'its log says why')}"

        guilty = self._refusals.blame(self._aimed, self._applied, message)
        if guilty or self._refusals.trying:
            _log.error("files refused by Envoy", extra={"modeldeployment": guilty, "cause": message(guilty)})
            self._unexplained = None
            self._changed.set()
        elif part is not self._unexplained:
            _log.error("files refused by Envoy that no change of traffic explains", extra={"cause": told})
            self._unexplained = part
        if guilty:
            # The next decision falls back to what was served before, which is what Envoy has.
            self._served.pop(guilty, None)
            if guilty in self._applied:
                self._served[guilty] = self._applied[guilty]

    async def _words(self, part: Part | None) -> Mapping[str, str]:
        """Envoy's own words by ModelDeployment; it keeps them for listeners alone."""
        if part is not Part.LISTENERS:
            return {}
        try:
            dump = await self._admin.get_json("/config_dump?resource=dynamic_listeners&mask=name,error_state")
        except AdminError:
            return {}
        states = {item.get("name", ""): item.get("error_state", {}) for item in dump.get("configs", ())}
        return {name: state["details"] for name, state in states.items() if "details" in state}

    def _tell(self, decision: Decision) -> None:
        for name, rejection in decision.rejected.items():
            if self._rejected.get(name) != rejection:
                self._rejections[name] += 1
                extra = {"modeldeployment": name, "generation": rejection.generation, "reason": rejection.reason}
                _log.warning("traffic rejected", extra={**extra, "cause": rejection.message})
        for name in self._rejections.keys() - self.claims.objects.keys():
            del self._rejections[name]
        self._rejected = decision.rejected


def _revisions(traffic: Traffic) -> tuple[str, ...]:
    mirrored = (traffic.mirror.revision,) if traffic.mirror else ()
    return (*(arm.revision for arm in traffic.arms), *mirrored)
