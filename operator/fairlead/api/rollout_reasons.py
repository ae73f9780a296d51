"""The words of a rollout's verdicts, explained. They are part of `reasons.Reason`, which has the list."""

from fairlead.api.explanation import Explanation

EXPLAINED_ROLLOUT = {
    "Paused": Explanation("spec.paused is true: nothing moves, and the weight is held.", "Set spec.paused to false."),
    "RolloutsFrozen": Explanation(
        "The operator's setting rollouts.frozen stops every rollout where it stands.", "Ask the administrator."
    ),
    "AwaitingApproval": Explanation(
        "The step has what it needs, and the next one waits for somebody's approval.",
        "Look at the evidence and approve of the step.",
    ),
    "StepPassed": Explanation("A step has the requests that it needs, and nothing speaks against it.", "Nothing."),
    "TooFewRequests": Explanation(
        "The candidate has had too few requests at this step, or too little time.", "Wait; the status says how long."
    ),
    "Guarded": Explanation(
        "The candidate is stable now; the revision before keeps a share and takes over again if it was better.",
        "Nothing; rollout.guard.duration says how long.",
    ),
    "RolloutsLimited": Explanation(
        "As many rollouts are on as the operator's setting rollouts.maxConcurrent allows; this one waits for its turn.",
        "Wait, or ask the administrator.",
    ),
    "OnProbation": Explanation(
        "The first version, or what replaces a failed one, serves, and has yet to show that it keeps its limits: by as "
        "many requests as a step needs, or by 30 s in which no more fail than may. It is not Ready until then, and a "
        "newer version waits.",
        "Wait. If requests fail, look at its logs.",
    ),
    "Promoted": Explanation("The candidate has passed its guard and is stable for good.", "Nothing."),
    "Superseded": Explanation("A newer revision was asked for before this one was judged.", "Nothing."),
    "Aborted": Explanation(
        "Somebody has ended the rollout. The revision is not tried again by itself.",
        "Apply another one, or `kubectl fairlead retry`.",
        stalls=True,
    ),
    "NoEvidence": Explanation(
        "No gateway reports anything new, so the weight is held.", "Look at the gateway pods and the metrics source."
    ),
    "ErrorsAboveStable": Explanation(
        "The candidate fails more often than stable did on the same traffic.", "Look at the candidate's logs."
    ),
    "ErrorsAboveLimit": Explanation(
        "It fails more often than checks.maxErrorRate allows, while the one beside it, if there is any, keeps that.",
        "Look at its logs. A first version serves on until another one is applied.",
    ),
    "LatencyAboveStable": Explanation(
        "More of the candidate's answers are slow than of stable's on the same traffic.",
        "Profile the candidate, or give it more resources.",
    ),
    "LatencyAboveLimit": Explanation(
        "More of its answers are slow than checks.maxLatencyP99 allows, while the one beside it, if any, keeps that.",
        "Profile it, or give it more resources. A first version serves on until another one is applied.",
    ),
    "EveryRequestFailed": Explanation(
        "It has failed every request since its first one.",
        "Look at its logs. A first version serves on until another one is applied.",
    ),
    "CandidateEjected": Explanation(
        "The gateways have stopped sending to every pod of the candidate because they failed.",
        "Look at the candidate's logs.",
    ),
    "CandidateOverloaded": Explanation(
        "The candidate turns requests away with 429, or is a shadow so slow that copies for it are dropped: it is too "
        "small for its share.",
        "Raise rollout.canary.replicas, or lower rollout.shadow.percent.",
    ),
    "StableUnhealthy": Explanation(
        "Stable itself does not keep the limits now, so nothing is judged by them and the weight is held.",
        "Look at stable and at what both depend on.",
    ),
    "Braked": Explanation(
        "The candidate looked worse and gets a probe share until enough requests in a row are clean.",
        "Wait; it resumes or is rolled back by itself.",
    ),
    "CoolingDown": Explanation(
        "The candidate looked worse and gets nothing for a while; its first step is tried once more.", "Wait."
    ),
    "CleanAgain": Explanation("A braked candidate was clean long enough and goes on.", "Nothing."),
    "AnalysisInconclusive": Explanation(
        "The rollout waited for evidence until rollout.holdDeadline and ended without a verdict.",
        "Send more traffic, or lower minRequests, and start it anew.",
        stalls=True,
    ),
}
