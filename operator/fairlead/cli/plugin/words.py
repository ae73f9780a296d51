"""What phases, stages, actions and ends mean, in words for people. Reasons have theirs in `api.reasons`."""

from fairlead.api.explanation import Explanation
from fairlead.api.model_deployment import DeploymentPhase
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.request import Verb
from fairlead.api.rollout_status import Outcome
from fairlead.api.traffic import ArmRole
from fairlead.api.training_job import TrainingPhase
from fairlead.core.evidence.state import Stage

PHASES: dict[DeploymentPhase, str] = {
    DeploymentPhase.STARTING: "a revision is coming up",
    DeploymentPhase.STABLE: "one revision serves, and no rollout is on",
    DeploymentPhase.SHADOW: "the candidate gets a copy of the traffic; its answers reach nobody",
    DeploymentPhase.CANARY: "the candidate gets a growing share of the traffic while nothing speaks against it",
    DeploymentPhase.BRAKED: "the candidate looked worse and has only a probe share until that is cleared up",
    DeploymentPhase.HELD: "the candidate's share stands still, because nothing can be judged now",
    DeploymentPhase.AWAITING_APPROVAL: "the step has passed, and the next one needs somebody's approval",
    DeploymentPhase.GUARD: "the new revision is stable; the one before keeps a share, to compare with and go back to",
    DeploymentPhase.PAUSED: "somebody has asked that nothing moves",
    DeploymentPhase.ROLLED_BACK: "what is asked for has failed; the revision before serves",
    DeploymentPhase.INCONCLUSIVE: "the rollout ended without a verdict; the revision before serves",
    DeploymentPhase.FAILED: "nothing serves, or not as it has to, and nothing moves until someone acts",
}

STAGES: dict[Stage, str] = {
    Stage.SHADOW: "the candidate answers copies of requests, and no user sees its answers",
    Stage.CANARY: "the candidate is judged at its share",
    Stage.BRAKED: "the candidate is judged at a probe share",
    Stage.COOLING: "the candidate gets nothing for a while; then its first step is tried once more",
    Stage.GUARD: "the promoted revision is still compared with the one before",
    Stage.ENDED: "the rollout is over",
}

TRAINING: dict[TrainingPhase, str] = {
    TrainingPhase.PENDING: "the trainer waits to run",
    TrainingPhase.RUNNING: "the trainer runs",
    TrainingPhase.GATING: "the trainer has ended well; its metrics are held against the gate",
    TrainingPhase.REGISTERING: "the model has passed and is being registered",
    TrainingPhase.SUCCEEDED: "the model is registered",
    TrainingPhase.FAILED: "it has ended without a registered model",
    TrainingPhase.SUSPENDED: "spec.suspend has stopped it; false lets it go on",
}

OUTCOMES: dict[Outcome, str] = {
    Outcome.PROMOTED: "it became stable",
    Outcome.ROLLED_BACK: "it was worse than what it was to replace",
    Outcome.SUPERSEDED: "another revision was asked for before it was through",
    Outcome.ABORTED: "somebody ended it",
    Outcome.INCONCLUSIVE: "it ended without a verdict",
    Outcome.FAILED: "it did not keep its limits, and nothing else was there to serve",
    Outcome.RETRIED: "somebody asked to try it again",
}

ACTIONS: dict[str, str] = {
    "begin": "the rollout began",
    "hold": "the share was held",
    "advance": "the step passed and the share rose",
    "brake": "the candidate was braked",
    "resume": "the candidate was let go on",
    "openControl": "the revision before got a share again, to compare with",
    "finish": "the guard passed",
    "rollBack": "the candidate was rolled back",
    "giveUp": "the rollout ended without a verdict",
    "promote": "the candidate was promoted",
    "abort": "somebody ended the rollout",
    "approve": "somebody approved of the next step",
}

ROLES: dict[ArmRole, str] = {
    ArmRole.STABLE: "stable",
    ArmRole.CANARY: "candidate",
    ArmRole.PREVIOUS: "the one before",
}

VERBS: dict[Verb, str] = {
    Verb.PROMOTE: "Makes the candidate stable now, whatever the evidence; in the guard: ends the guard.",
    Verb.ABORT: "Ends the rollout and gives all traffic back to the revision before.",
    Verb.PAUSE: "Holds the rollout where it stands, until `resume`.",
    Verb.RESUME: "Lets a paused rollout go on.",
    Verb.RETRY: "Lifts the quarantine of a revision, or starts one anew that ended without a verdict.",
    Verb.REFRESH: "Rolls out the same inputs with the operator's defaults of today.",
    Verb.APPROVE: "Approves of the next step of a rollout that waits for it.",
}

_UNKNOWN = Explanation("A word that this kubectl-fairlead does not know.", "Look at the message; upgrade it.")


def explain(reason: str) -> Explanation:
    """What a reason means and what to do about it; a newer operator may have words that we do not know."""
    return EXPLAINED[Reason(reason)] if reason in list(Reason) else _UNKNOWN
