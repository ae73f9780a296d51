"""What a reference to a model stands for."""

import pytest

from fairlead.api.model_deployment import ModelRef, ResolvedModel
from fairlead.api.reasons import Reason
from fairlead.core.resolution import ModelFacts, parse_digest, resolve, versions_of
from fairlead.core.world import RegistryProblem, Unanswered

DIGEST = "sha256:" + "0123456789abcdef" * 4
DOWN = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
GONE = RegistryProblem(Reason.MODEL_VERSION_NOT_FOUND, "no such version")
FACTS = ModelFacts({"champion": "2", "candidate": "7", "fresh": "9", "lost": "8"}, {"2": DIGEST, "7": "x", "8": GONE})


def ref(**asked: str) -> ModelRef:
    return ModelRef(name="churn", **asked)


@pytest.mark.parametrize(
    ("tag", "digest"),
    [
        (DIGEST, DIGEST),
        ("", "unverified"),
        (DIGEST.upper(), "unverified"),
        (DIGEST[:-1], "unverified"),
        (DIGEST + "0", "unverified"),
        (DIGEST + "\n", "unverified"),
        ("md5:" + "0" * 64, "unverified"),
    ],
)
def test_only_a_well_formed_sha256_is_a_digest(tag: str, digest: str) -> None:
    assert parse_digest(tag) == digest


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"alias": "champion"}, ResolvedModel(name="churn", alias="champion", version="2", digest=DIGEST)),
        ({"version": "2"}, ResolvedModel(name="churn", version="2", digest=DIGEST)),
        ({"alias": "lost"}, GONE),
        ({"version": "8"}, GONE),
        ({"alias": "fresh"}, Unanswered()),
        ({"version": "1"}, Unanswered()),
    ],
)
def test_a_reference_is_a_version_with_its_digest(asked: dict[str, str], answer: object) -> None:
    assert resolve(ref(**asked), FACTS) == answer


@pytest.mark.parametrize(("aliases", "known"), [({}, "none"), ({"b": "1", "a": "2"}, "a, b")])
def test_an_alias_that_is_missing_is_told_with_those_there_are(aliases: dict[str, str], known: str) -> None:
    text = f"spec.model.alias: expected an alias of churn ({known}), got candidate"
    expected = RegistryProblem(Reason.MODEL_ALIAS_NOT_FOUND, text)
    assert resolve(ref(alias="candidate"), ModelFacts(aliases, {})) == expected


def test_a_registry_that_gives_no_answer_gives_none_to_any_question() -> None:
    down = ModelFacts(DOWN, {"2": DIGEST})
    assert resolve(ref(alias="champion"), down) == DOWN
    assert resolve(ref(version="2"), down) == DOWN


def test_each_version_that_is_meant_is_named_once() -> None:
    refs = [ref(alias="a"), ref(version="3"), ref(alias="b"), ref(alias="none"), ref(version="1")]
    assert versions_of(refs, {"a": "1", "b": "3"}) == ("1", "3")
