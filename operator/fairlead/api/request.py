"""What somebody asks for beside the spec: the annotation `fairlead.dev/request`, `<verb>@<revision>#<nonce>`.

It is bound to a revision, so that a request that comes late says nothing about the next one. It is never deleted: the
operator acts on it once, and keeps its nonce as `status.lastRequest.nonce`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

REQUEST_MANAGER = "fairlead-cli"
"""The field manager of the annotation. It owns nothing else, so that GitOps controllers see no drift."""

NONCE_LIMIT = 64
_REVISION_LIMIT = 63
_TEXT_LIMIT = 160
_REVISION = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NONCE = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")


class Verb(StrEnum):
    """What can be asked for."""

    PROMOTE = "promote"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    REFRESH = "refresh"
    APPROVE = "approve"


class InvalidRequest(ValueError):
    """The annotation is no request. The message says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what is asked, of which revision, and the name of this asking."""

    verb: Verb
    revision: str
    nonce: str

    def __str__(self) -> str:
        """As the annotation has it."""
        return f"{self.verb}@{self.revision}#{self.nonce}"


def _wrong(expected: str, got: str) -> InvalidRequest:
    return InvalidRequest(f"expected {expected}, got {got[:80]!r}")


def parse_request(text: str) -> Request:
    """`promote@churn-5e6f7a8b#k3x9` as a Request.

    Raises:
        InvalidRequest: it is none; nothing is trimmed or guessed.
    """
    if len(text) > _TEXT_LIMIT:
        raise _wrong(f"<verb>@<revision>#<nonce> in at most {_TEXT_LIMIT} characters", text)
    head, hash_sign, nonce = text.partition("#")
    verb, at_sign, revision = head.partition("@")
    if not (at_sign and hash_sign):
        raise _wrong("<verb>@<revision>#<nonce>", text)
    if verb not in list(Verb):
        raise _wrong("one of the verbs " + ", ".join(Verb), verb)
    if len(revision) > _REVISION_LIMIT or not _REVISION.fullmatch(revision):
        raise _wrong(f"a revision's name (at most {_REVISION_LIMIT} of a-z, 0-9 and -) after the @", revision)
    if len(nonce) > NONCE_LIMIT or not _NONCE.fullmatch(nonce):
        raise _wrong(f"a nonce (at most {NONCE_LIMIT} letters, digits, dots, - and _) after the #", nonce)
    return Request(Verb(verb), revision, nonce)
