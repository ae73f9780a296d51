"""Three minutes of what `make soak` does for half an hour, beside other tests."""

import random

import pytest
from tests.e2e.rollout import Watched
from tests.soak.run import Soak

pytestmark = [pytest.mark.together, pytest.mark.long(3)]

MINUTES = 3.0
EVERY_SECONDS = 36.0


def test_versions_arrive_and_pods_die_and_no_user_notices(watched: Watched) -> None:
    soak = Soak(watched, random.Random(1))  # noqa: S311 -- no secret hangs on it
    soak.run(minutes=MINUTES, every_seconds=EVERY_SECONDS)
    assert soak.problems() == [], soak.describe()
    assert soak.tally.shipped and soak.killed
