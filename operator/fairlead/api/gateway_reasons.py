"""The words about a namespace's gateway, explained. They are part of `reasons.Reason`, which has the list."""

from fairlead.api.explanation import Explanation

EXPLAINED_GATEWAY = {
    "Programmed": Explanation("Every ready gateway pod does what status.traffic says.", "Nothing."),
    "GatewayPending": Explanation(
        "Some gateway pods have not taken up the newest status.traffic, or none is ready.",
        "Wait; if it stays, look at the gateway's pods.",
    ),
    "GatewayRejected": Explanation(
        "The gateway refuses the newest status.traffic; what it served before goes on.",
        "Read the message; it is tried again with the next change.",
        stalls=True,
    ),
    "GatewayUnreachable": Explanation(
        "No ready gateway pod has told the operator what it serves. Traffic is not concerned.",
        "Look at NetworkPolicies between the operator and port 8082 of the gateway's pods, and at their logs.",
    ),
    "GatewayNotReady": Explanation(
        "The namespace's gateway has no ready pod, so nobody reaches the model.",
        "Look at the events of the Deployment fairlead-gateway and its pods.",
    ),
    "PortsExhausted": Explanation(
        "Every port of the gateway's range, 10000 to 10999, belongs to another ModelDeployment of the namespace.",
        "Delete one, or use another namespace; it is retried.",
        stalls=True,
    ),
}
