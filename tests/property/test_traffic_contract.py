"""What the operator writes into `status.traffic` is what the gateway reads, whatever the spec and whoever serves."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import NOW, revision_of, serving_body, serving_world

from fairlead.api.model_deployment import RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.api.scalars import describe_duration
from fairlead.api.traffic import FIRST_PORT, LAST_PORT
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.traffic import next_traffic
from fairlead_gateway.traffic import Role, parse_traffic

LIMITS = st.just("off") | st.integers(1, 10**9).map(lambda seconds: describe_duration(timedelta(seconds=seconds)))
REVISIONS = st.sampled_from(["churn-11111111", "churn-22222222", "churn-33333333"])
SLOTS = st.none() | REVISIONS.map(lambda name: RevisionStatus(revision=name, since=NOW))
POINTERS = st.builds(Pointers, SLOTS, SLOTS, SLOTS, st.just(()))


@given(
    pointers=POINTERS,
    limit=LIMITS,
    protocol=st.sampled_from(["http", "grpc"]),
    port=st.integers(FIRST_PORT, LAST_PORT),
    reason=st.sampled_from(list(Reason)),
    epoch=st.integers(0, 2**31),
)
def test_what_the_operator_writes_is_what_the_gateway_reads(
    *, pointers: Pointers, limit: str, protocol: str, port: int, reason: Reason, epoch: int
) -> None:
    body = serving_body(container={"image": "example/churn:1", "protocol": protocol}, requestTimeout=limit)
    assert revision_of(body).startswith("churn-")
    written = next_traffic(serving_world(body, port=port, epoch=epoch), pointers, reason)
    read = parse_traffic({"status": {"traffic": written.wire()}})
    assert (read.port, read.epoch, read.generation) == (port, epoch, written.generation)
    assert [(arm.revision, arm.role.value, arm.weight) for arm in read.arms] == [
        (arm.revision, arm.role.value, arm.weight) for arm in written.arms
    ]
    assert (read.request_timeout is None) is (limit == "off")
    assert bool(read.unavailable_reason) is (not read.arms)
    assert (read.stable is not None) is (pointers.stable is not None)
    assert {arm.role for arm in read.arms} <= {Role.STABLE, Role.PREVIOUS}
