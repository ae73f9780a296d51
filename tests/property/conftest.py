"""How hard hypothesis tries: `pytest --hypothesis-profile thorough` for the long form.

The short form tries the same examples every time, so that a change is not blamed for what it has not done; the long one
looks for new ones.
"""

from hypothesis import HealthCheck, settings

# A shared machine may stall any single example, so no example has a deadline of its own.
settings.register_profile(
    "default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile(
    "thorough", parent=settings.get_profile("default"), max_examples=1500, derandomize=False, database=None
)
settings.load_profile("default")
