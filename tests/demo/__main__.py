"""`python -m tests.demo`: brings up a cluster and tells the whole story on it; exit code 1 when a part failed."""

import io
import sys

from tests import platform
from tests.cluster import ClusterError, CommandError
from tests.cluster.interface import Cluster, cluster
from tests.demo import answers, state
from tests.demo.progress import DemoError, Progress
from tests.demo.story import NAME, NOISY, Story


def tell(node: Cluster, progress: Progress) -> None:
    """The whole demo. Raises DemoError, ClusterError or CommandError."""
    story = Story(node, progress)
    with progress.part("cluster"):
        node.up()
    with progress.part("images"):
        platform.build_images(node)
    with progress.part("MLflow"):
        story.start_platform()
    with progress.part("Fairlead"):
        story.install_fairlead()
    with progress.part("training"):
        job = story.train()
    version = job["status"]["modelVersion"]["version"]
    with progress.part("serving"):
        revision = story.serve(version)
    with progress.part("predictions"):
        asked = story.ask(job["status"]["run"]["id"])
        found = story.judge(asked, version)
    with progress.part("a worse model"):
        noisy = story.stop_at_gate(version)
    print(f"\nThe held-out rows of the breast cancer data, asked through Service {NAME}:\n")
    print(answers.table(asked))
    print(
        f"\nagreement with the model's own answers: {found.agreeing} of {found.rows} "
        f"(version {found.version}, revision {revision}, median {found.median_milliseconds:.1f} ms); "
        f"right diagnoses: {found.correct} of {found.rows}"
    )
    print(f"gate of {NAME}: {state.gate(job)}: version {version} registered and serving")
    print(f"gate of {NOISY}: {state.gate(noisy)}: nothing registered, version {version} serves on\n")


def print_times(progress: Progress) -> None:
    """How long each part took."""
    for title, seconds in progress.seconds.items():
        print(f"  {title:<14} {seconds:7.1f} s")
    print(f"  {'all':<14} {progress.elapsed_seconds:7.1f} s")


def print_next() -> None:
    """What to try now that it runs."""
    print(
        f"""
What to try next (the cluster stays; `make down` removes it):
  eval "$(make -s env)"                                      # kubectl and helm for this shell
  kubectl get fairlead                                       # both kinds: what runs, what serves, and why not
  kubectl describe trainingjob {NOISY}           # conditions, gate and events of the one that was stopped
  kubectl port-forward svc/{NAME} 8080:80 &           # then open http://127.0.0.1:8080/docs
  kubectl -n mlflow port-forward svc/mlflow 5000 &           # MLflow: http://127.0.0.1:5000
  kubectl scale modeldeployment {NAME} --replicas 2
  kubectl apply -k examples/digits                           # another model; copy the folder to make your own
  kubectl wait tj/digits --for=condition=Ready --timeout=5m"""
    )


def main() -> int:
    """Tell the story; on failure name the part."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # in order with the progress, in a pipe too
    progress = Progress()
    try:
        tell(cluster(), progress)
    except (DemoError, ClusterError, CommandError) as error:
        progress.say(f"FAILED in part '{progress.current}': {error}")
        print_times(progress)
        return 1
    print_times(progress)
    print_next()
    return 0


if __name__ == "__main__":
    sys.exit(main())
