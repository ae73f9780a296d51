"""What may go wrong past the adapters, and what the loop does about it.

FairleadError
├── RetryLater     the outside world is not up to it now: back off and try again
├── RegistryError  MLflow's answer, with its reason: becomes a condition, retried
├── MetricsError   Prometheus' answer
├── GatewayError   a gateway pod's answer: counted, and a condition when it stays so
├── ReadAgain      what we decided on is no longer what is there: gather again at once
└── Refused        the API server will not take this object as it is: say so, try again seldom
"""


class FairleadError(Exception):
    """The root of the tree."""


class RetryLater(FairleadError):
    """Time-outs, 5xx, 429, lost connections. Retried with exponential backoff."""


class ReadAgain(FairleadError):
    """A precondition failed (409, or 422 of a status patch's test): the decision was made on old facts."""


class Refused(FairleadError):
    """A 4xx that the same request will get again until the spec or the cluster's policy changes."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class RegistryError(FairleadError):
    """MLflow could not answer, or said no. `reason` is a word of `api.reasons`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MetricsError(FairleadError):
    """Prometheus could not answer, or said no."""


class GatewayError(FairleadError):
    """A gateway pod gave no evidence. `outcome` is a word of `Telemetry`: timeout, unreachable, unauthorized, refused,
    too_large, invalid, no_token."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
