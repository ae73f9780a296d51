"""The e-processes: capital that a sceptic of the candidate wins by betting against "it is not worse".

Capital multiplies by 1 + stake * (hits - expected), whose mean is at most 1 as long as the candidate is not worse, so
it exceeds 1/alpha with probability alpha at most, however often one looks (Ville). `docs/evidence.md` derives it.
"""

from dataclasses import dataclass
from math import exp, log, log1p

from fairlead.core.evidence.tally import NOTHING, Tally

SHORT_SECONDS = 1.0
LONG_SECONDS = 4.0
TOLERANCE = 0.9
"""A window closes at this part of its length, so that a look that comes a little early does not wait for the next."""
RICHEST = 1e15
"""Capital is cut here: it decides nothing any more and must not overflow."""
LARGEST_LOG_FACTOR = 30.0

START = 0.5
"""The part of the capital that is bet from the start; the rest enters later, for versions that turn bad."""
BRAKE_INFLOW_PER_SECOND = 0.5 / 3600
"""The fast process gets a second half of its capital every hour: a promise per hour, because a brake is undone."""
_RESERVE_SCALE_SECONDS = 60.0
_RESERVE_SPAN = log1p(86_400.0 / _RESERVE_SCALE_SECONDS)
SHORT_GROWTH_PER_SECOND = 0.46
LONG_GROWTH_PER_SECOND = 0.36
"""The most that sure capital may grow, as logarithms: what bounds how short a trouble can convict. With the default
alpha a candidate must fail for some 15 s, however much it fails; a pod that hiccups for 3 s in the mean rarely does."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to bet. `stake`: what the worst outcome may cost, as a part of the capital."""

    stake: float
    prior: float
    other_stake: float = 0.0
    """Where bets are per failure: half of the capital is bet at this stake instead, split anew at every window."""
    burst: int = 0
    """0: one bet per window, valid however the failures inside it hang together. Otherwise one bet per failure, each
    to the power 1/burst, valid when failures come in bursts of one arm of at most that size."""
    growth: float = LARGEST_LOG_FACTOR
    """The largest log factor of one window."""


FAST = (Form(stake=0.7, prior=0.9), Form(stake=0.9, prior=0.1, burst=5))
FAST_BY_LIMIT = (FAST[0], Form(stake=0.9, other_stake=0.2, prior=0.1, burst=5))
"""Against a limit every good request is a lost bet too, so that the stake that wins most is about the share that fails
(Kelly). One half is for versions that fail nearly everything, the other one for those that fail a fifth."""
SHARED_PERCENT = 50.0
"""Up to this weight stable has as many requests as the candidate, so that a trouble of both shows on it as soon. Above
it, as in a guard, the bet against the limit would win from an outage before stable's few requests tell of it."""
SURE_SHORT = Form(stake=0.9, prior=0.5, growth=SHORT_GROWTH_PER_SECOND * SHORT_SECONDS)
SURE_LONG = Form(stake=0.5, prior=0.5, growth=LONG_GROWTH_PER_SECOND * LONG_SECONDS)


@dataclass(frozen=True, slots=True)
class Capital:
    """One test: capital per form, and the tallies of the windows that are still open."""

    fast: tuple[float, float] = (START, START)
    sure: tuple[float, float] = (START, START)
    short: Tally = NOTHING
    long: Tally = NOTHING


def invested(seconds: float) -> float:
    """The part of the sure capital that has been put in after so many seconds: half at once, the rest over a day,
    evenly over the logarithm of time, because most rollouts are short. Never more than 1."""
    return START + (1.0 - START) * min(1.0, log1p(seconds / _RESERVE_SCALE_SECONDS) / _RESERVE_SPAN)


def factor(form: Form, tally: Tally) -> float:
    """What the capital multiplies by; its mean is at most 1 when hits are what chance expects, or fewer."""
    up, down = tally.high - tally.expected, tally.expected - tally.low
    if up <= 0.0 or down <= 0.0:
        return 1.0
    if form.burst:
        grown = _grown(form, form.stake, tally)
        return 0.5 * (grown + _grown(form, form.other_stake, tally)) if form.other_stake else grown
    slope = min(form.stake / down, (exp(form.growth) - 1.0) / up)
    return 1.0 + slope * (tally.hits - tally.expected)


def _grown(form: Form, stake: float, tally: Tally) -> float:
    """One bet per failure, all at the same stake."""
    share = tally.expected / tally.trials
    won = tally.hits * log1p(stake * (1.0 - share) / share)
    lost = (tally.trials - tally.hits) * log(1.0 - stake)
    return exp(max(-LARGEST_LOG_FACTOR, min(form.growth, (won + lost) / form.burst)))


def advance_short(
    capital: Capital, tally: Tally, inflow: float, fast_inflow: float | None, fast_forms: tuple[Form, Form] = FAST
) -> Capital:
    """The short window has closed. `fast_inflow` None: the fast process rests (braked)."""
    fast = capital.fast
    sure = capital.sure[0] + inflow
    if tally.trials:
        sure = min(RICHEST, sure * factor(SURE_SHORT, tally))
    if fast_inflow is not None:
        first, second = fast[0] + fast_inflow, fast[1] + fast_inflow
        if tally.trials:
            first = min(RICHEST, first * factor(fast_forms[0], tally))
            second = min(RICHEST, second * factor(fast_forms[1], tally))
        fast = (first, second)
    return Capital(fast, (sure, capital.sure[1]), NOTHING, capital.long)


def advance_long(capital: Capital, tally: Tally, inflow: float) -> Capital:
    """The long window has closed."""
    sure = capital.sure[1] + inflow
    if tally.trials:
        sure = min(RICHEST, sure * factor(SURE_LONG, tally))
    return Capital(capital.fast, (capital.sure[0], sure), capital.short, NOTHING)


def fast_value(capital: Capital) -> float:
    """The fast evidence of one test."""
    return FAST[0].prior * capital.fast[0] + FAST[1].prior * capital.fast[1]


def sure_value(capital: Capital, short_seconds: float, long_seconds: float) -> float:
    """The sure evidence of one test; the two moments are those up to which each window's capital has been put in."""
    short = capital.sure[0] + 1.0 - invested(short_seconds)
    long = capital.sure[1] + 1.0 - invested(long_seconds)
    return SURE_SHORT.prior * short + SURE_LONG.prior * long
