"""Open-loop HTTP load in a process of its own: every "0 failed requests" of the tests is counted here.

A request is due at a time fixed before the run starts, and is sent then whether or not earlier ones were answered, so a
slow server cannot slow the load down and hide its own pauses. Nothing is ever retried.
"""

from tests.load.plan import BadPlanError, Connections, LoadPlan
from tests.load.process import BackgroundLoad, LoadProcessError, background_load, run_load
from tests.load.report import Failure, Latency, LoadReport, Outcome
from tests.load.split import binomial_band

__all__ = [
    "BackgroundLoad",
    "BadPlanError",
    "Connections",
    "Failure",
    "Latency",
    "LoadPlan",
    "LoadProcessError",
    "LoadReport",
    "Outcome",
    "background_load",
    "binomial_band",
    "run_load",
]
