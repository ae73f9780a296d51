"""The picture that decisions are made on."""

import dataclasses

import pytest
from tests.unit.builders import serving_body, serving_world, training_body, training_world

from fairlead.core.world import Alias, Allowed, ModelRule, RegistryFacts


def test_a_world_cannot_be_changed_by_a_decision() -> None:
    for world in (serving_world(serving_body()), training_world(training_body())):
        with pytest.raises(dataclasses.FrozenInstanceError):
            world.epoch = 2  # type: ignore[misc]


def test_the_settings_allow_everything_unless_they_are_narrowed() -> None:
    assert Allowed() == Allowed(("*",), ("*",), ("*",), (ModelRule(("*",), ("*",)),))


def test_a_registry_that_was_not_asked_has_no_facts() -> None:
    assert RegistryFacts() == RegistryFacts(None, (), None, Alias())
