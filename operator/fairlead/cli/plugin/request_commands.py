"""The commands that ask the operator for something: one for each verb."""

import click

from fairlead.api.request import Verb
from fairlead.cli.plugin.asking import ask
from fairlead.cli.plugin.cluster import UserCluster
from fairlead.cli.plugin.commands import Seconds
from fairlead.cli.plugin.running import Environment, Exit, Where, run, where_options
from fairlead.cli.plugin.words import VERBS

_WHICH = {
    Verb.RETRY: "Which of the revisions that are held back; not needed when there is one.",
    Verb.REFRESH: "Only if it is stable.",
}


def _command(verb: Verb) -> click.Command:
    @where_options
    @click.pass_context
    def command(context: click.Context, *, name: str, revision: str, timeout: float, yes: bool, where: Where) -> None:
        environment: Environment = context.obj

        async def work(cluster: UserCluster) -> Exit:
            bare, nonce = name.removeprefix("md/"), environment.nonce()
            return await ask(cluster, bare, verb, revision=revision, nonce=nonce, seconds=timeout, yes=yes)

        run(context, where, work)

    which = _WHICH.get(verb, "Only if it is the one that the rollout is about.")
    for option in (
        click.option("--yes", "-y", is_flag=True, help="Do not ask once more."),
        click.option("--timeout", type=Seconds(), default="30s", show_default=True, help="How long for an answer."),
        click.option("--revision", metavar="NAME", default="", help=which),
        click.argument("name"),
    ):
        command = option(command)
    return click.command(str(verb), help=VERBS[verb])(command)


def add_requests(group: click.Group) -> None:
    """One command for each verb."""
    for verb in Verb:
        group.add_command(_command(verb))
