"""Whom to blame when Envoy refuses a file that holds many ModelDeployments' parts. Pure.

If one of them is new since the version that Envoy has, it is the one. If several are, all go back to what they had,
and are tried again one after the other: what is refused then is the one on trial.
"""

from collections.abc import Callable, Mapping

from fairlead_gateway.claims import Accepted, Rejection, RejectionReason, printable


class Refusals:
    """What Envoy refused, and who is on trial for it."""

    def __init__(self) -> None:
        self.refused: dict[str, Rejection] = {}
        self._suspects: list[str] = []

    @property
    def trying(self) -> bool:
        """Whether somebody waits for a trial."""
        return bool(self._suspects)

    def hold_back(self, served: Mapping[str, Accepted], applied: Mapping[str, Accepted]) -> dict[str, Accepted]:
        """`served` without the news of those who wait for their trial; the first of them is on trial."""
        self._suspects = [name for name in self._suspects if _is_new(name, served, applied)]
        waiting = set(self._suspects[1:])
        held = {name: item for name, item in served.items() if name not in waiting}
        ports = {item.traffic.port for item in held.values()}
        for name in waiting & applied.keys():
            if applied[name].traffic.port not in ports:
                held[name] = applied[name]
                ports.add(applied[name].traffic.port)
        return held

    def blame(
        self, served: Mapping[str, Accepted], applied: Mapping[str, Accepted], message: Callable[[str], str]
    ) -> str:
        """Envoy refused `served`: the name of the guilty one, empty as long as it is not known or there is none.

        message: what to tell of it, by name.
        """
        news = sorted(name for name in served if _is_new(name, served, applied))
        if len(news) != 1:
            self._suspects = news
            return ""
        guilty = served[news[0]]
        self.refused[news[0]] = Rejection(
            guilty.claim.uid, guilty.traffic.generation, RejectionReason.REFUSED, printable(message(news[0]))
        )
        self._suspects = [name for name in self._suspects if name != news[0]]
        return news[0]

    def applied(self, served: Mapping[str, Accepted]) -> None:
        """Envoy took `served`: the one on trial is innocent, and refusals of what is served by now are history."""
        self._suspects = self._suspects[1:]
        for name, rejection in list(self.refused.items()):
            if name in served and served[name].traffic.generation == rejection.generation:
                del self.refused[name]

    def forget(self, names: frozenset[str]) -> None:
        """Drop what is known of ModelDeployments that are not among these."""
        self.refused = {name: item for name, item in self.refused.items() if name in names}


def _is_new(name: str, served: Mapping[str, Accepted], applied: Mapping[str, Accepted]) -> bool:
    return name in served and (name not in applied or applied[name].traffic != served[name].traffic)
