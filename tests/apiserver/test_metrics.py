"""What a running operator tells of ModelDeployments, in the text that Prometheus would scrape."""

from tests.apiserver.controllers import Controllers
from tests.apiserver.objects import Objects, eventually
from tests.apiserver.operator_process import StartOperator
from tests.apiserver.plain_http import ask


def test_a_running_operator_tells_phase_and_conditions_until_the_modeldeployment_is_deleted(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    operator = start_operator()
    url = f"http://127.0.0.1:{operator.port}/metrics"
    owner = f'modeldeployment="web",namespace="{objects.namespace}"'

    def told(series: str) -> bool:
        return f"\n{series} 1.0\n" in (ask(url) or "")

    spec = {"container": {"image": "registry.example/web:1"}}
    objects.create({"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": spec})
    phase = f"fairlead_modeldeployment_phase{{{owner},phase="
    eventually("it is starting", lambda: told(f'{phase}"Starting"}}'), seconds=20)
    eventually("pods", controllers.all_ready, seconds=20)
    eventually("it serves", lambda: controllers.all_ready() or told(f'{phase}"Stable"}}'), seconds=20)
    ready = f'fairlead_modeldeployment_condition{{condition="Ready",{owner},reason="Serving",status="True"}}'
    eventually("it is ready", lambda: told(ready), seconds=20)
    objects.delete("ModelDeployment", "web")
    eventually("nothing is told of it", lambda: owner not in (ask(url) or owner), seconds=20)
