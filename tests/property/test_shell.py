"""Queue and cache, over all orders in which things may happen."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.shell.in_memory import FakeClock

from fairlead.shell.cache import Cache, version_of
from fairlead.shell.keys import Key
from fairlead.shell.queue import LAST_BACKOFF_SECONDS, WorkQueue

KEYS = [Key("ModelDeployment", "team", name) for name in "abc"]
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "later", "take", "done", "fail", "wait"]), st.sampled_from(KEYS)), max_size=60
)


class Model:
    """What a work queue promises: which keys want a look, and which are being looked at."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.queue = WorkQueue(self.clock, jitter=lambda seconds: seconds)
        self.wanted: set[Key] = set()
        self.working: set[Key] = set()

    def take(self) -> None:
        """The next key, if there is one now: `get` does not wait then."""
        self.queue._promote()
        if not self.queue._line:
            return
        waiting = self.queue.get()
        try:
            waiting.send(None)
        except StopIteration as got:
            assert got.value not in self.working, "a key is worked on once at a time"
            self.working.add(got.value)
            self.wanted.discard(got.value)
        else:
            raise AssertionError("get waits although a key is in line")

    def step(self, act: str, key: Key) -> None:
        if act == "add":
            self.queue.add(key)
            self.wanted.add(key)
        elif act == "later":
            self.queue.add_after(key, 7)
            self.wanted.add(key)
        elif act == "take":
            self.take()
        elif act == "wait":
            self.clock.advance(3)
        elif key in self.working:
            if act == "fail":
                self.queue.fail(key)
                self.wanted.add(key)
            self.working.discard(key)
            self.queue.done(key)


@given(STEPS)
def test_no_wish_for_a_look_is_lost_and_no_key_is_worked_on_twice_at_a_time(steps: list[tuple[str, Key]]) -> None:
    model = Model()
    for act, key in steps:
        model.step(act, key)
    for key in list(model.working):
        model.step("done", key)
    for _ in range(2 * len(KEYS)):
        model.clock.advance(LAST_BACKOFF_SECONDS)
        model.take()
        for key in list(model.working):
            model.step("done", key)
    assert model.wanted == set()
    assert (model.queue.depth, model.queue.oldest_seconds()) == (0, 0)


def _pod(version: int, uid: str) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "p", "namespace": "team", "uid": uid, "resourceVersion": str(version)}}


@given(st.permutations([(1, "old"), (2, "old"), (3, "new"), (4, "new"), (5, "newest")]))
def test_whatever_the_order_of_the_news_the_newest_object_is_kept(order: list[tuple[int, str]]) -> None:
    cache = Cache()
    for version, uid in order:
        cache.put(_pod(version, uid))
    found = cache.get("Pod", "team", "p")
    assert found and (version_of(found), found["metadata"]["uid"]) == (5, "newest")
