"""Whatever a gateway's pod answers, it is read as it was meant or refused with one kind of error."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.gateway_evidence import InvalidEvidence
from fairlead.api.gateway_text import parse_evidence

CLOCK = "fairlead_gateway_time_seconds 12.5\nfairlead_gateway_start_time_seconds 1\n"
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?", fullmatch=True)
COUNTS = st.integers(0, 2**53 - 1)
PIECES = st.sampled_from(
    [
        "fairlead_gateway_",
        "attempts_total",
        "rejected",
        "time_seconds",
        'modeldeployment="a"',
        'revision="b"',
        'use="canary"',
        'message="\\"',
        "{",
        "}",
        ",",
        '"',
        "\\",
        " ",
        "\n",
        "1",
        "NaN",
        "1e",
        "\x00",
        "\u2028",
        "é",
    ]
)


def read(body: bytes) -> object:
    """The value, or the refusal; any other error is the test's."""
    try:
        return parse_evidence(body)
    except InvalidEvidence as error:
        assert str(error).isascii()
        return error


@given(st.binary(max_size=4096))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    read(body)
    read(CLOCK.encode() + body)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_text_of_our_own_pieces_is_refused_or_read(text: str) -> None:
    read((CLOCK + text).encode())
    read((CLOCK + "fairlead_gateway_" + text).encode())


@given(st.dictionaries(st.tuples(NAMES, NAMES, NAMES.map(lambda name: name.replace("-", "")[:20])), COUNTS, max_size=8))
def test_every_count_comes_back_as_it_was_written(counts: dict[tuple[str, str, str], int]) -> None:
    uses = {arm: arm[2] for arm in counts if arm[2].isalpha()}
    lines = [
        f'fairlead_gateway_attempts_total{{use="{use}",modeldeployment="{arm[0]}",revision="{arm[1]}"}} {counts[arm]}\n'
        for arm, use in uses.items()
    ]
    found = parse_evidence((CLOCK + "".join(lines)).encode())
    read_back: dict[Any, float] = {
        (name, *arm): value.attempts for name, item in found.deployments.items() for arm, value in item.arms.items()
    }
    assert read_back == {arm: counts[arm] for arm in uses}


@given(st.text())
def test_a_message_stays_in_its_label_whatever_it_says(message: str) -> None:
    escaped = message.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    line = f'fairlead_gateway_rejected{{modeldeployment="a",generation="2",reason="R",message="{escaped}"}} 1\n'
    text = (CLOCK + line).encode(errors="surrogatepass")
    found = read(text)
    if isinstance(found, InvalidEvidence):
        assert len(line) > 1024 or not message.isprintable()
        return
    rejection = parse_evidence(text).deployments["a"].rejection
    assert rejection is not None
    assert rejection.message.isprintable()
    assert len(rejection.message) <= 300
    assert (rejection.generation, rejection.reason) == (2, "R")
