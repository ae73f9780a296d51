"""What every command shares: exit codes, how the cluster is reached, where lines go, which errors are told how."""

import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.connection import NoConnection, connect_as_user
from fairlead.api.resource import InvalidResource
from fairlead.cli.plugin.bars import BLOCKS, PLAIN, Glyphs
from fairlead.cli.plugin.binding import Ambiguous, Unbound
from fairlead.cli.plugin.cluster import NotThere, UserCluster
from fairlead.errors import FairleadError, Refused
from fairlead.ports import Clock


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    DONE = 0
    FAILED = 1
    """The request was refused, or the rollout has failed, or a check of the doctor has."""
    USAGE = 2
    TIMED_OUT = 3
    NO_ANSWER = 4
    """The API server could not be asked, refused the plugin's own request, or has no such object."""


class Stop(click.ClickException):
    """Ends the command with a message on standard error and an exit code of ours."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc]  # click declares it on the class and reads it from the instance


@dataclass(frozen=True, slots=True)
class Where:
    """What the user's options say; absent: what kubectl would use."""

    namespace: str | None
    context: str | None
    kubeconfig: str | None


def reach(where: Where, clock: Clock) -> UserCluster:
    """The cluster of the user's kubeconfig. NoConnection when there is none."""
    connection, here = connect_as_user(where.kubeconfig or os.environ.get("KUBECONFIG") or None, where.context)
    return UserCluster(connection, clock, where.namespace or here)


@dataclass(frozen=True, slots=True)
class Environment:
    """What the commands take from outside; tests bring their own."""

    reach: Callable[[Where, Clock], UserCluster]
    clock: Clock
    nonce: Callable[[], str]


def system_environment() -> Environment:
    """The real one."""
    return Environment(reach, SystemClock(), lambda: secrets.token_hex(4))


class Screen:
    """Standard output: colours and blocks on a terminal, plain and stable text for programs."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, emoji=False)
        blocks = self.console.is_terminal and (self.console.encoding or "").startswith("utf")
        self.glyphs: Glyphs = BLOCKS if blocks else PLAIN

    def show(self, lines: Iterable[Text | str]) -> None:
        """One after the other, never folded: a program reads lines, and a terminal folds by itself."""
        for line in lines:
            self.console.print(line, soft_wrap=True)


Work = Callable[[UserCluster], Awaitable[Exit]]


def run(context: click.Context, where: Where, work: Work) -> None:
    """Does the work against the cluster, and ends the process with its exit code."""
    environment: Environment = context.obj
    try:
        code = asyncio.run(_with_cluster(environment, where, work))
    except (Ambiguous, Unbound) as error:
        raise Stop(str(error), Exit.USAGE if isinstance(error, Ambiguous) else Exit.FAILED) from error
    except (NoConnection, NotThere) as error:
        raise Stop(str(error), Exit.NO_ANSWER) from error
    except InvalidResource as error:
        raise Stop(
            f"{error}; is this kubectl-fairlead older than the operator? see `doctor`", Exit.NO_ANSWER
        ) from error
    except Refused as error:
        raise Stop(_refusal(error), Exit.NO_ANSWER) from error
    except FairleadError as error:
        raise Stop(str(error), Exit.NO_ANSWER) from error
    except KeyboardInterrupt:  # how a watch ends
        context.exit(130)
    context.exit(code)


async def _with_cluster(environment: Environment, where: Where, work: Work) -> Exit:
    cluster = environment.reach(where, environment.clock)
    try:
        return await work(cluster)
    finally:
        await cluster.close()


def _refusal(error: Refused) -> str:
    if error.code == 403:
        return f"the API server does not allow it: {error}; docs/cli.md lists the rights that each command needs"
    if error.code == 404:
        return f"the API server does not know the kind: {error}; are Fairlead's CRDs installed? see `doctor`"
    return f"the API server refuses it: {error}"


def where_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-n`, `--context` and `--kubeconfig`, as kubectl has them; the command gets them as one `where`."""

    def gathered(*args: Any, namespace: str | None, context: str | None, kubeconfig: str | None, **others: Any) -> Any:
        return command(*args, where=Where(namespace, context, kubeconfig), **others)

    gathered.__name__, gathered.__doc__ = command.__name__, command.__doc__
    gathered.__dict__.update(command.__dict__)
    for option in (
        click.option("--kubeconfig", metavar="FILE", help="The kubeconfig; else $KUBECONFIG or ~/.kube/config."),
        click.option("--context", metavar="NAME", help="The kubeconfig's context; else the current one."),
        click.option("-n", "--namespace", metavar="NAME", help="The namespace; else the context's."),
    ):
        gathered = option(gathered)
    return gathered


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()
