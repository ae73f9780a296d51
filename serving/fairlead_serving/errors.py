"""What can go wrong while loading a model and while answering a request."""

from enum import StrEnum


class LoadReason(StrEnum):
    """Why the model could not be loaded; the operator reads these words in the termination message."""

    MODEL_LOAD_FAILED = "ModelLoadFailed"
    UNSUPPORTED_FLAVOR = "UnsupportedFlavor"
    MODEL_NOT_FOUND = "ModelNotFound"
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    DIGEST_MISMATCH = "DigestMismatch"


class LoadError(Exception):
    """The model cannot be served; the message says what was expected, what came and what to do."""

    reason = LoadReason.MODEL_LOAD_FAILED


class UnsupportedFlavor(LoadError):
    """The model was saved in a form that this server does not load."""

    reason = LoadReason.UNSUPPORTED_FLAVOR


class PickleNotAllowed(UnsupportedFlavor):
    """The model is a pickle, and loading a pickle runs whatever code is inside."""


class UntrustedTypes(UnsupportedFlavor):
    """The model's file names types that skops does not trust: somebody else's, or scikit-learn's own that are not safe
    to load from a stranger, as the nodes of its trees."""


class ModelNotFound(LoadError):
    """The registry has no such model version, or no files for it."""

    reason = LoadReason.MODEL_NOT_FOUND


class RegistryUnavailable(LoadError):
    """The registry did not answer in time, or refuses to."""

    reason = LoadReason.REGISTRY_UNAVAILABLE


class DigestMismatch(LoadError):
    """The files are not those that were registered."""

    reason = LoadReason.DIGEST_MISMATCH


class SettingsError(Exception):
    """An environment variable has a value that the server cannot use."""

    def __init__(self, name: str, expected: str, got: str) -> None:
        super().__init__(f"{name}: expected {expected}, got {got[:100]!r}")


class ModelRaised(Exception):
    """The model's own code raised on an input that fits its signature; where is the end of the traceback."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message)
        self.where = where


_SHOWN_CHARACTERS = 200


class RequestRefused(Exception):
    """A request that is the client's mistake: which field, what was expected there, and what came."""

    def __init__(self, field: str, expected: str, got: str, *, status: int = 400) -> None:
        self.field = field
        self.expected = expected
        self.got = got if len(got) <= _SHOWN_CHARACTERS else got[:_SHOWN_CHARACTERS] + "..."
        self.status = status
        super().__init__(f"{field}: expected {expected}, got {self.got}")


class SignatureViolated(RequestRefused):
    """A well-formed request whose values do not fit the model's signature."""

    def __init__(self, field: str, expected: str, got: str) -> None:
        super().__init__(field, expected, got, status=422)


class Overloaded(Exception):
    """Too many requests wait already."""

    def __init__(self, waiting: int, retry_after_seconds: int) -> None:
        super().__init__(f"{waiting} requests wait already")
        self.waiting = waiting
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(Exception):
    """The model did not answer within the request's deadline."""
