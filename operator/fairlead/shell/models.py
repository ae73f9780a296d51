"""What the registry says of the registered models that ModelDeployments ask for: asked now and then, once per model.

A reconcile gets the last answer and never waits for a request: an MLflow that hangs delays nobody. When an answer
changes, the keys that it concerns are put into the queue; while it stays the same nothing happens at all.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from fairlead.api.model_deployment import ModelRef, ResolvedModel
from fairlead.api.reasons import Reason
from fairlead.core.resolution import ModelFacts, parse_digest, resolve, versions_of
from fairlead.core.world import RegistryProblem, Unanswered
from fairlead.errors import RegistryError
from fairlead.ports import Registry
from fairlead.shell.facts import problem_of
from fairlead.shell.keys import Key
from fairlead.shell.queue import WorkQueue

MOST_REQUESTS = 32
"""Models that are asked for at the same moment."""
ANSWER_SECONDS = 3.0
"""For all requests of one poll: that there is no answer is to be seen within five seconds."""
RETRY_SECONDS = 5.0
"""How soon a registry that gave no answer is asked again, where the polls are further apart."""
POLLS_PER_DIGEST = 20
"""A version's files do not change, but its tag may come late, and the version may go: it is read at every 20th poll."""

Answer = ResolvedModel | RegistryProblem | Unanswered


@dataclass(slots=True)
class _Book:
    """One registered model: who asks for it, and what is known. `waiting`: asked since the last request began. `stale`:
    changed by us since then."""

    asked: dict[Key, ModelRef] = field(default_factory=dict)
    waiting: set[Key] = field(default_factory=set)
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    facts: ModelFacts | None = None
    polls: int = 0
    stale: bool = False


class Models:
    """Answers from memory, kept fresh by one task per model. Only the leader runs it."""

    def __init__(
        self, registry: Registry, queue: WorkQueue, *, poll_seconds: float, jitter: Callable[[float], float]
    ) -> None:
        self._registry = registry
        self._queue = queue
        self._poll_seconds = poll_seconds
        self._jitter = jitter
        self._books: dict[str, _Book] = {}
        self._names: dict[Key, str] = {}
        self._fresh: asyncio.Queue[str] = asyncio.Queue()
        self._slots = asyncio.Semaphore(MOST_REQUESTS)

    def resolve(self, key: Key, ref: ModelRef) -> Answer:
        """The answer to what `key` asks. Unanswered: the request is on its way, and its answer brings the key back.

        A good answer that is known already counts at once. Any other one may be older than the question: it is asked
        anew, since a model is often registered a moment before it is asked for.
        """
        if self._names.get(key) != ref.name:
            self.forget(key)
        self._names[key] = ref.name
        book = self._book(ref.name)
        known, book.asked[key] = book.asked.get(key), ref
        answer = resolve(ref, book.facts) if book.facts else Unanswered()
        if isinstance(answer, ResolvedModel):
            book.waiting.discard(key)
            return answer
        if known != ref or isinstance(answer, Unanswered):
            book.waiting.add(key)
            book.nudged.set()
        return Unanswered() if key in book.waiting else answer

    @property
    def asking(self) -> set[Key]:
        """Who asks for a model."""
        return set(self._names)

    def ask_again(self, name: str) -> None:
        """We have changed the registered model: what is known of it is old, and worth a request before its time."""
        if book := self._books.get(name):
            book.stale = True
            book.nudged.set()

    def forget(self, key: Key) -> None:
        """The key asks for no model any more."""
        name = self._names.pop(key, None)
        if name is None:
            return
        book = self._books[name]
        del book.asked[key]
        book.waiting.discard(key)
        if not book.asked:
            book.nudged.set()

    def _book(self, name: str) -> _Book:
        if name not in self._books:
            self._books[name] = _Book()
            self._fresh.put_nowait(name)
        return self._books[name]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                name = await self._fresh.get()
                group.create_task(self._follow(name, self._books[name]), name=f"model-{name}")

    async def _follow(self, name: str, book: _Book) -> None:
        """Ask for one model until nobody wants to know of it."""
        while book.asked:
            book.nudged.clear()
            await self._poll(name, book)
            try:
                async with asyncio.timeout(self._pause(book)):
                    await book.nudged.wait()
            except TimeoutError:
                continue
        del self._books[name]

    def _pause(self, book: _Book) -> float:
        problems = (book.facts.aliases, *book.facts.digests.values()) if book.facts else ()
        down = any(isinstance(item, RegistryProblem) and _passes(item) for item in problems)
        return self._jitter(min(RETRY_SECONDS, self._poll_seconds) if down else self._poll_seconds)

    async def _poll(self, name: str, book: _Book) -> None:
        async with self._slots:
            book.stale = False
            before, served = book.facts, {key: book.asked[key] for key in book.waiting}
            book.facts = await self._ask_in_time(name, book)
            book.polls += 1
        for key, ref in book.asked.items():
            answer = resolve(ref, book.facts)
            if key not in book.waiting:
                if before is None or answer != resolve(ref, before):
                    self._queue.add(key)
            elif served.get(key) == ref or isinstance(answer, ResolvedModel):
                book.waiting.discard(key)
                self._queue.add(key)
        if book.asked and not book.waiting and not book.stale:
            book.nudged.clear()

    async def _ask_in_time(self, name: str, book: _Book) -> ModelFacts:
        facts = book.facts or ModelFacts({}, {})
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._ask(name, book, facts)
        except TimeoutError:
            late = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, f"MLflow gave no answer within {ANSWER_SECONDS:g} s")
            return ModelFacts(_first_words(facts.aliases, late), facts.digests)

    async def _ask(self, name: str, book: _Book, facts: ModelFacts) -> ModelFacts:
        """One request for all aliases, and one for each version whose digest is not known yet."""
        digests = facts.digests
        try:
            aliases = await self._registry.aliases(name)
        except RegistryError as error:
            problem = _first_words(facts.aliases, problem_of(error))
            return ModelFacts(problem, digests if _passes(problem) else {})
        again = book.polls % POLLS_PER_DIGEST == 0
        wanted = versions_of(book.asked.values(), aliases)
        return ModelFacts(aliases, {item: await self._digest(name, item, digests.get(item), again) for item in wanted})

    async def _digest(
        self, name: str, version: str, known: str | RegistryProblem | None, again: bool
    ) -> str | RegistryProblem:
        if isinstance(known, str) and not again:
            return known
        try:
            return parse_digest(await self._registry.digest_tag(name, version))
        except RegistryError as error:
            problem = _first_words(known, problem_of(error))
            return known if isinstance(known, str) and _passes(problem) else problem


def _first_words(before: object, now: RegistryProblem) -> RegistryProblem:
    """The problem as it was first told: each request of an outage may fail in words of its own, and none is news."""
    same = isinstance(before, RegistryProblem) and before.reason is now.reason and _passes(now)
    return before if isinstance(before, RegistryProblem) and same else now


def _passes(problem: RegistryProblem) -> bool:
    """Whether the registry said nothing, rather than no."""
    return problem.reason in (Reason.REGISTRY_UNAVAILABLE, Reason.REGISTRY_FORBIDDEN)
