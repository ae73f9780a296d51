"""`python -m tests.demo`: brings up a cluster and tells the whole story on it; exit code 1 when a part failed."""

import contextlib
import io
import sys

from tests import platform
from tests.cluster import ClusterError, CommandError
from tests.cluster.interface import Cluster, cluster
from tests.demo import answers, state
from tests.demo.outcome import table
from tests.demo.progress import DemoError, Progress
from tests.demo.rollouts import Rollouts
from tests.demo.story import NAME, NOISY, Story
from tests.demo.users import Mlflow
from tests.load import LoadProcessError


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
    with progress.live():
        told = tell_rest(node, progress, story)
    print(f"\nThe held-out rows of the breast cancer data, asked through Service {NAME}:\n\n{told}\n")


def tell_rest(node: Cluster, progress: Progress, story: Story) -> str:
    """Everything after the installation; what is to be printed at the end."""
    with progress.part("training"):
        job = story.train()
    version, run_id = job["status"]["modelVersion"]["version"], job["status"]["run"]["id"]
    rollouts = Rollouts(node, progress, story, Mlflow(platform.mlflow_url(node)))
    with contextlib.ExitStack() as users:
        # Where a version of an earlier demo serves, this one has to earn its traffic, and that takes users.
        if story.is_serving():
            users.enter_context(rollouts.users(run_id))
        with progress.part("serving"):
            revision = story.serve(version)
        if not rollouts.asking:
            users.enter_context(rollouts.users(run_id))
        with progress.part("predictions"):
            asked = story.ask(run_id)
            found = story.judge(asked, version)
        with progress.part("a worse model"):
            noisy = story.stop_at_gate(version)
        tell_rollouts(rollouts, progress)
    return "\n".join(
        [
            answers.table(asked),
            "",
            f"agreement with the model's own answers: {found.agreeing} of {found.rows} "
            f"(version {found.version}, revision {revision}, median {found.median_milliseconds:.1f} ms); "
            f"right diagnoses: {found.correct} of {found.rows}",
            f"gate of {NAME}: {state.gate(job)}: version {version} registered and serving",
            f"gate of {NOISY}: {state.gate(noisy)}: nothing registered, version {version} serves on",
            "",
            "What came of the versions that followed, under users' traffic:",
            "",
            table(rollouts.happened),
        ]
    )


def tell_rollouts(rollouts: Rollouts, progress: Progress) -> None:
    """What comes of the versions that follow."""
    with progress.part("a better version"):
        rollouts.better()
    with progress.part("a broken version"):
        rollouts.broken()
    with progress.part("one that cannot be loaded"):
        rollouts.unloadable()
    with progress.part("a shadow"):
        rollouts.shadowed()


def print_times(progress: Progress) -> None:
    """How long each part took."""
    for title, seconds in progress.seconds.items():
        print(f"  {title:<26} {seconds:7.1f} s")
    print(f"  {'all':<26} {progress.elapsed_seconds:7.1f} s")


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
    except (DemoError, ClusterError, CommandError, LoadProcessError) as error:
        progress.say(f"FAILED in part '{progress.current}': {error}")
        print_times(progress)
        return 1
    print_times(progress)
    print_next()
    return 0


if __name__ == "__main__":
    sys.exit(main())
