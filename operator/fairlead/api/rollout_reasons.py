"""The words of a rollout's verdicts, explained. They are part of `reasons.Reason`, which has the list."""

from fairlead.api.explanation import Explanation

EXPLAINED_ROLLOUT = {
    "StepPassed": Explanation("A step has the requests that it needs, and nothing speaks against it.", "Nothing."),
    "TooFewRequests": Explanation(
        "The candidate has had too few requests at this step, or too little time.", "Wait; the status says how long."
    ),
    "NoEvidence": Explanation(
        "No gateway reports anything new, so the weight is held.", "Look at the gateway pods and the metrics source."
    ),
    "ErrorsAboveStable": Explanation(
        "The candidate fails more often than stable did on the same traffic.", "Look at the candidate's logs."
    ),
    "ErrorsAboveLimit": Explanation(
        "The candidate fails more often than checks.maxErrorRate allows, while stable keeps it.",
        "Look at the candidate's logs.",
    ),
    "LatencyAboveStable": Explanation(
        "More of the candidate's answers are slow than of stable's on the same traffic.",
        "Profile the candidate, or give it more resources.",
    ),
    "LatencyAboveLimit": Explanation(
        "More of the candidate's answers are slow than checks.maxLatencyP99 allows, while stable keeps it.",
        "Profile the candidate, or give it more resources.",
    ),
    "EveryRequestFailed": Explanation(
        "The candidate has failed every request since its first one.", "Look at the candidate's logs."
    ),
    "CandidateEjected": Explanation(
        "The gateways have stopped sending to every pod of the candidate because they failed.",
        "Look at the candidate's logs.",
    ),
    "CandidateOverloaded": Explanation(
        "The candidate turns requests away with 429: it is too small for its share.", "Raise rollout.canary.replicas."
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
