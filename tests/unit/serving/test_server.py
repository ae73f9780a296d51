import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.linear_model import LinearRegression
from tests.load import BackgroundLoad, Connections, LoadPlan, background_load
from tests.unit.serving.models import classifier, iris, matrix_body, write_model
from tests.unit.serving.servers import folder_script, scripted_registry, server_process, status

from fairlead_serving.server import listen

pytestmark = pytest.mark.process

ROW = [5.1, 3.5, 1.4, 0.2]
ENV = {"MODEL_NAME": "iris", "MODEL_VERSION": "3"}


def waiting_model(folder: Path, seconds: float) -> Path:
    """A model that waits before it answers a row with a positive number, which those of the warm-up have not.

    Pickled by value, so that the server needs no class of ours.
    """

    def make() -> type:
        import threading as waiting  # noqa: PLC0415 -- a lock of this module would be pickled with the class

        class Waiting(LinearRegression):
            def predict(self, features: Any) -> Any:
                if (features.to_numpy() > 0).any():
                    waiting.Event().wait(seconds)
                return super().predict(features)

        Waiting.__module__ = "__main__"
        return Waiting

    return write_model(folder, make()().fit(*iris()), pickle=True, document={"saved_input_example_info": None})


def slow_to_load(folder: Path) -> Path:
    """A pickle that takes minutes to load."""

    class Slow:
        def __reduce__(self) -> Any:
            return eval, ("__import__('time').sleep(300)",)

    return write_model(folder, Slow(), pickle=True)


def last_words(tmp_path: Path) -> dict[str, str]:
    words: dict[str, str] = json.loads((tmp_path / "last-words").read_text())
    return words


def test_answers_are_sent_without_waiting_for_acknowledgements() -> None:
    with listen(0) as listener, socket.create_connection(("127.0.0.1", listener.getsockname()[1])):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def load_plan(url: str, connections: Connections) -> LoadPlan:
    return LoadPlan(
        url=f"{url}/v2/models/iris/infer",
        rate=25,
        seconds=60,
        body=matrix_body([ROW]),
        expect_fields={"outputs.0.data": [0]},
        connections=connections,
        late_seconds=1,
    )


def test_sigterm_under_load_loses_no_request(iris_folder: Path, tmp_path: Path) -> None:
    env = ENV | {"MODEL_DIR": str(iris_folder), "DRAIN_DELAY_SECONDS": "4"}
    with server_process(tmp_path, **env) as server:
        server.read_until("ready")
        kept, fresh = (load_plan(server.url, connections) for connections in Connections)
        with background_load(kept) as first, background_load(fresh) as second:
            threading.Event().wait(0.7)
            server.terminate()
            server.read_until("draining")
            assert status(f"{server.url}/v2/health/ready") == 503
            assert status(f"{server.url}/v2/health/live") == 200
            threading.Event().wait(0.6)
            # Both stop sending at once, or the second goes on past the drain while the first one's report is awaited.
            with ThreadPoolExecutor(2) as threads:
                reports = list(threads.map(BackgroundLoad.report, (first, second)))
        for report in reports:
            assert report.sent > 15
            assert (report.failed, report.ok) == (0, report.sent), report
        assert server.exit_code() == 0


def test_a_slow_request_hinders_no_health_check_and_is_answered_after_the_listener_has_closed(tmp_path: Path) -> None:
    env = ENV | {
        "MODEL_DIR": str(waiting_model(tmp_path / "model", 1)),
        "ALLOW_PICKLE": "true",
        "DRAIN_DELAY_SECONDS": "0",
    }
    answers: list[int] = []

    def ask(url: str) -> None:
        answers.append(httpx.post(f"{url}/v2/models/iris/infer", content=matrix_body([ROW]), timeout=20).status_code)

    with server_process(tmp_path, **env) as server:
        server.read_until("ready")
        asking = threading.Thread(target=ask, args=(server.url,))
        asking.start()
        threading.Event().wait(0.3)
        assert httpx.get(f"{server.url}/v2/health/live", timeout=0.5).status_code == 200
        server.terminate()
        threading.Event().wait(0.2)
        with pytest.raises(httpx.ConnectError):
            status(f"{server.url}/v2/health/live")
        asking.join()
        assert answers == [200]
        assert server.exit_code() == 0


def test_the_server_answers_while_it_waits_for_the_registry(tmp_path: Path) -> None:
    released = threading.Event()
    folder = write_model(tmp_path / "remote", classifier())
    script = folder_script(folder)

    def answer(path: str) -> tuple[int, bytes]:
        released.wait(20)
        return script(path)

    with scripted_registry(answer) as url:
        env = ENV | {"MLFLOW_TRACKING_URI": url, "MODEL_DIR": str(tmp_path / "model"), "DRAIN_DELAY_SECONDS": "0"}
        with server_process(tmp_path, **env) as server:
            assert status(f"{server.url}/v2/health/live") == 200
            assert status(f"{server.url}/v2/health/ready") == 503
            released.set()
            server.read_until("ready")
            assert status(f"{server.url}/v2/health/ready") == 200
            server.terminate()
            assert server.exit_code() == 0


def test_sigterm_while_loading_ends_the_server_at_once(tmp_path: Path) -> None:
    env = ENV | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MODEL_DIR": str(tmp_path / "model")}
    with server_process(tmp_path, **env) as server:
        server.read_until("registry asked again")
        server.terminate()
        assert server.exit_code() == 0


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "LOAD_DEADLINE_SECONDS": "1"}, "RegistryUnavailable"),
        ({}, "ModelLoadFailed"),
    ],
)
def test_a_model_that_cannot_be_had_is_told_in_the_last_words(tmp_path: Path, env: dict[str, str], reason: str) -> None:
    with server_process(tmp_path, **ENV, **env, MODEL_DIR=str(tmp_path / "model")) as server:
        assert server.exit_code() == 3
    assert last_words(tmp_path)["reason"] == reason


def test_a_version_that_does_not_exist_is_told_in_the_last_words(tmp_path: Path) -> None:
    with (
        scripted_registry(lambda _: (404, b"{}")) as url,
        server_process(tmp_path, **ENV, MLFLOW_TRACKING_URI=url, MODEL_DIR=str(tmp_path / "model")) as server,
    ):
        assert server.exit_code() == 3
    assert last_words(tmp_path)["reason"] == "ModelNotFound"


def test_a_stuck_model_is_answered_for_in_time_and_does_not_keep_the_server(tmp_path: Path) -> None:
    env = ENV | {"MODEL_DIR": str(waiting_model(tmp_path / "model", 300)), "ALLOW_PICKLE": "true"}
    env |= {"DRAIN_DELAY_SECONDS": "0", "REQUEST_DEADLINE_SECONDS": "0.5"}
    with server_process(tmp_path, **env) as server:
        server.read_until("ready")
        answer = httpx.post(f"{server.url}/v2/models/iris/infer", content=matrix_body([ROW]), timeout=10)
        assert (answer.status_code, answer.elapsed.total_seconds() < 3) == (504, True)
        counted = httpx.get(f"{server.url}/metrics", timeout=10).text
        assert 'code="504",error_class="timeout",model="iris",protocol="oip",version="3"} 1.0' in counted
        assert status(f"{server.url}/v2/health/live") == 200
        server.terminate()
        server.process.wait(timeout=10)
        assert server.exit_code() == 0


def test_sigterm_while_a_pickle_loads_ends_the_server_at_once(tmp_path: Path) -> None:
    env = ENV | {"MODEL_DIR": str(slow_to_load(tmp_path / "model")), "ALLOW_PICKLE": "true"}
    with server_process(tmp_path, **env) as server:
        server.read_until("model found on disk")
        server.terminate()
        server.process.wait(timeout=10)
        assert server.exit_code() == 0


def test_a_port_that_is_taken_is_told_in_one_line(iris_folder: Path, tmp_path: Path) -> None:
    with listen(0) as listener:
        port = listener.getsockname()[1]
        env = ENV | {"MODEL_DIR": str(iris_folder), "PORT": str(port)}
        with server_process(tmp_path, listens=False, **env) as server:
            assert server.exit_code() == 4
    assert [(line["message"], line["port"], line["level"]) for line in server.lines] == [
        ("port not free", port, "error")
    ]
