"""The ports of the gateway."""

from typing import Any

from fairlead_gateway.envoy.listeners import build_listener


def manager(**fields: Any) -> Any:
    listener = build_listener("churn", fields.pop("address", "0.0.0.0"), 10005, "/d/routes.json")
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def test_a_listener_has_the_name_and_the_port_of_its_modeldeployment() -> None:
    listener = build_listener("churn", "0.0.0.0", 10005, "/d/routes.json")
    assert listener["name"] == "churn"
    assert listener["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 10005, "ipv4_compat": False}
    assert build_listener("churn", "::", 10005, "/d/routes.json")["address"]["socket_address"]["ipv4_compat"] is True


def test_a_listener_says_whose_it_is_over_whatever_users_send_and_drops_words_meant_for_envoy() -> None:
    (extension,) = manager()["early_header_mutation_extensions"]
    removed, added = extension["typed_config"]["mutations"]
    assert removed == {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}}
    assert added["append"]["header"] == {"key": "x-fairlead-modeldeployment", "value": "churn"}
    assert added["append"]["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"


def test_paths_are_left_as_they_are() -> None:
    settings = manager()
    assert (settings["normalize_path"], settings["merge_slashes"]) == (False, False)
    assert settings["path_with_escaped_slashes_action"] == "KEEP_UNCHANGED"


def test_each_answer_of_envoy_s_own_has_a_reason_and_503_says_when_to_come_again() -> None:
    for mapper in manager()["local_reply_config"]["mappers"]:
        names = [added["header"]["key"] for added in mapper["headers_to_add"]]
        expected = ["x-fairlead-reason", "retry-after"] if mapper["status_code"] == 503 else ["x-fairlead-reason"]
        assert names == expected
        assert set(mapper["body_format_override"]["json_format"]) == {"reason", "message"}
