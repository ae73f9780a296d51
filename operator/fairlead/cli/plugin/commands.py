"""The commands that look: status, history, replay, doctor. Each is thin: options in, one call, an exit code."""

import click
from rich.text import Text

from fairlead import __version__
from fairlead.api.kinds import MODEL_DEPLOYMENT, OWNED, TRAINING_JOB, ResourceType
from fairlead.api.resource import parse_model_deployment, parse_training_job
from fairlead.api.scalars import parse_duration
from fairlead.cli import replay as recorded
from fairlead.cli.plugin.cluster import UserCluster
from fairlead.cli.plugin.deployment_view import describe_history
from fairlead.cli.plugin.doctor_facts import examine
from fairlead.cli.plugin.evidence_view import explain_decisions
from fairlead.cli.plugin.following import Picture, see, show_once, wait, watch
from fairlead.cli.plugin.running import Environment, Exit, Screen, Stop, Where, run, where_options
from fairlead.cli.plugin.summary import list_deployments, list_trainings
from fairlead.cli.plugin.waiting import Progress

_PREFIXES = {
    "md": MODEL_DEPLOYMENT, "modeldeployment": MODEL_DEPLOYMENT, "modeldeployments": MODEL_DEPLOYMENT,
    "tj": TRAINING_JOB, "trainingjob": TRAINING_JOB, "trainingjobs": TRAINING_JOB,
}  # fmt: skip


class Seconds(click.ParamType[float]):
    """A duration as the API writes it, as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """`1h30m`, `45s` -> seconds; a usage error for anything else."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(str(value)).total_seconds()
        except ValueError as error:
            self.fail(str(error), param, ctx)


def kinds_of(text: str) -> tuple[tuple[ResourceType, ...], str]:
    """`md/churn`, `tj/churn` or `churn` as the kinds to look among, and the name. UsageError for another kind."""
    kind, slash, name = text.rpartition("/")
    if not slash:
        return OWNED, text
    if kind.lower() not in _PREFIXES:
        raise click.UsageError(f"expected NAME, md/NAME or tj/NAME, got {text!r}")
    return (_PREFIXES[kind.lower()],), name


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kubectl-fairlead")
def cli() -> None:
    """Looks at Fairlead's ModelDeployments and TrainingJobs, and asks the operator for something.

    Exit codes: 0 done, 1 refused or failed, 2 usage, 3 timed out, 4 the API server could not be asked.
    """


@cli.command()
@click.argument("name", required=False)
@click.option("-w", "--watch", "watching", is_flag=True, help="Go on: drawn anew, or a line for each change.")
@click.option("--wait", "waiting", is_flag=True, help="Until it is out (0) or has failed (1).")
@click.option("--version", metavar="N", default="", help="With --wait: this version of the registered model.")
@click.option("--timeout", type=Seconds(), metavar="TIME", help="With --wait: how long at most; for ever if absent.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How it is printed.")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Without NAME: of every namespace.")
@where_options
@click.pass_context
def status(
    context: click.Context,
    *,
    name: str | None,
    watching: bool,
    waiting: bool,
    version: str,
    timeout: float | None,
    output: str,
    everywhere: bool,
    where: Where,
) -> None:
    """Who serves, who gets which share, what the evidence says, and what it waits for.

    NAME is a ModelDeployment, else a TrainingJob; `md/NAME` and `tj/NAME` say which. Without NAME: all of them.
    """
    if not waiting and (version or timeout is not None):
        raise click.UsageError("--version and --timeout go with --wait")
    if not name and (watching or waiting or output == "json"):
        raise click.UsageError("--watch, --wait and -o json need a NAME")
    environment: Environment = context.obj

    async def work(cluster: UserCluster) -> Exit:
        screen = Screen()
        if not name:
            return await _list(cluster, screen, everywhere=everywhere)
        kinds, bare = kinds_of(name)
        resource, body = await cluster.find(kinds, bare)
        if waiting:
            picture = Picture(environment.clock, screen)
            return await _wait(cluster, resource, bare, version=version, seconds=timeout, picture=picture)
        if watching:
            return await watch(cluster, resource, bare, Picture(environment.clock, screen))
        show_once(see(resource, body), environment.clock, screen, as_json=output == "json")
        return Exit.DONE

    run(context, where, work)


async def _list(cluster: UserCluster, screen: Screen, *, everywhere: bool) -> Exit:
    found = [parse_model_deployment(item) for item in await cluster.list(MODEL_DEPLOYMENT, everywhere=everywhere)]
    trained = [parse_training_job(item) for item in await cluster.list(TRAINING_JOB, everywhere=everywhere)]
    lines: list[Text | str] = [
        *list_deployments(found, namespaces=everywhere),
        *([""] if found and trained else []),
        *list_trainings(trained, namespaces=everywhere),
    ]
    place = "any namespace" if everywhere else f"namespace {cluster.namespace}"
    screen.show(lines or [f"no ModelDeployment and no TrainingJob in {place}"])
    return Exit.DONE


async def _wait(
    cluster: UserCluster, resource: ResourceType, name: str, *, version: str, seconds: float | None, picture: Picture
) -> Exit:
    if version and resource is TRAINING_JOB:
        raise click.UsageError("--version is of a ModelDeployment; a TrainingJob makes one")
    judged = await wait(cluster, resource, name, version=version, seconds=seconds, picture=picture)
    if judged.progress is Progress.FAILED:
        raise Stop(judged.text, Exit.FAILED)
    click.echo(judged.text)
    return Exit.DONE


@cli.command()
@click.argument("name")
@where_options
@click.pass_context
def history(context: click.Context, name: str, where: Where) -> None:
    """The rollouts of a ModelDeployment that have ended, the newest first."""

    async def work(cluster: UserCluster) -> Exit:
        _, body = await cluster.find((MODEL_DEPLOYMENT,), name.removeprefix("md/"))
        Screen().show(describe_history(parse_model_deployment(body).status) or ["no rollout has ended yet"])
        return Exit.DONE

    run(context, where, work)


@cli.command()
@click.argument("name", required=False)
@click.option("--file", metavar="FILE", help="Records of decisions, one JSON object per line: each is decided again.")
@where_options
@click.pass_context
def replay(context: click.Context, name: str | None, file: str | None, where: Where) -> None:
    """Explains every decision of the rollout that is on, with its numbers."""
    if bool(name) == bool(file):
        raise click.UsageError("expected NAME or --file FILE")
    if file:
        context.exit(recorded.main([file]))

    async def work(cluster: UserCluster) -> Exit:
        _, body = await cluster.find((MODEL_DEPLOYMENT,), str(name).removeprefix("md/"))
        evidence = parse_model_deployment(body).status.evidence
        if evidence is None:
            raise Stop(
                "no rollout is on, and the status keeps the decisions of that one only; see `history`", Exit.FAILED
            )
        Screen().show(explain_decisions(evidence) or ["it has not decided anything yet"])
        return Exit.DONE

    run(context, where, work)


@cli.command()
@click.option("--operator-namespace", metavar="NAME", help="Where the operator runs; found by its labels if absent.")
@click.option("--lease", metavar="NAME", default="fairlead", show_default=True, help="The name of its Lease.")
@where_options
@click.pass_context
def doctor(context: click.Context, operator_namespace: str | None, lease: str, where: Where) -> None:
    """Checks the installation, and what the ModelDeployments of the namespace say of MLflow and gateways."""

    async def work(cluster: UserCluster) -> Exit:
        screen = Screen()
        failed = False
        for check in await examine(cluster, operator_namespace or "", lease):
            screen.show(check.lines(screen.glyphs))
            failed |= check.passed is False
        return Exit.FAILED if failed else Exit.DONE

    run(context, where, work)
