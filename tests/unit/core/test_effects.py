"""Effects are values."""

from fairlead.core.effects import Apply, ObjectRef, OpenRun, Plan


def test_an_apply_names_its_object() -> None:
    effect = Apply({"kind": "Service", "metadata": {"name": "churn"}}, absent=True)
    assert effect.ref == ObjectRef("Service", "churn")


def test_effects_with_the_same_content_are_the_same() -> None:
    assert OpenRun("a", {"x": "1"}) == OpenRun("a", {"x": "1"})
    assert OpenRun("a", {"x": "1"}) != OpenRun("a", {"x": "2"})


def test_an_empty_plan_waits_for_a_change() -> None:
    assert Plan() == Plan((), None)
