"""What a reference to a registered model stands for, by what the registry said of that model."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairlead.api.model_deployment import UNVERIFIED, ModelRef, ResolvedModel
from fairlead.api.reasons import Reason
from fairlead.core.world import RegistryProblem, Unanswered

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the registry said of one registered model; a problem stands where it gave no answer."""

    aliases: Mapping[str, str] | RegistryProblem
    """Version by alias."""
    digests: Mapping[str, str | RegistryProblem]
    """Digest by version, of the versions that were asked for."""


def parse_digest(tag: str) -> str:
    """The digest that a version's tag promises; `unverified` when there is none, or not a well-formed one."""
    return tag if _DIGEST.fullmatch(tag) else UNVERIFIED


def versions_of(refs: Iterable[ModelRef], aliases: Mapping[str, str]) -> tuple[str, ...]:
    """The versions that the references stand for, each once, in their order."""
    found = (ref.version or aliases.get(ref.alias or "") for ref in refs)
    return tuple(dict.fromkeys(version for version in found if version))


def resolve(ref: ModelRef, facts: ModelFacts) -> ResolvedModel | RegistryProblem | Unanswered:
    """The version and its digest, or why there is none; Unanswered while its version has not been asked for."""
    if isinstance(facts.aliases, RegistryProblem):
        return facts.aliases
    version = ref.version or facts.aliases.get(ref.alias or "")
    if version is None:
        known = ", ".join(sorted(facts.aliases)) or "none"
        text = f"spec.model.alias: expected an alias of {ref.name} ({known}), got {ref.alias}"
        return RegistryProblem(Reason.MODEL_ALIAS_NOT_FOUND, text)
    digest = facts.digests.get(version)
    if digest is None:
        return Unanswered()
    if isinstance(digest, RegistryProblem):
        return digest
    return ResolvedModel(name=ref.name, alias=ref.alias or "", version=version, digest=digest)
