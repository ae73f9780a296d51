"""Trainers that misbehave or wait, as commands for the example trainer's image; the example itself stays clean."""

_EXAMPLE = "import os, sys, time, urllib.request; sys.path.insert(0, '/app'); import train; "
"""The example trainer as a module: what follows may change its ways before `train.main()`."""


def script(text: str) -> list[str]:
    """A command that runs some Python."""
    return ["python", "-c", text]


CRASHES = script("import sys; print('the data set is torn', flush=True); sys.exit(7)")
RUNS_OUT_OF_MEMORY = script(
    "import subprocess, sys, time; "
    "hog = 'x = []\\nwhile True: x.append(bytearray(10_000_000))'; "
    "done = subprocess.run([sys.executable, '-c', hog]); time.sleep(2); sys.exit(128 - done.returncode)"
)
"""A worker of it does, as a data loader would. containerd tells of the limit in an event of its own: when the killed
process is the container's only one, a busy node may see the exit first and never say why."""

HANGS = script("import time; print('waiting for a lock', flush=True); time.sleep(3600)")
LOGS_NOTHING = script("print('trained, and forgot to log it')")
LOGS_NAN = script(_EXAMPLE + "train.score = lambda *_: {'accuracy': float('nan')}; train.main()")
ANSWERS_NAN = script(
    _EXAMPLE
    + """
fit = train.fit
def fit_a_model_that_overflows(*given):
    model = fit(*given)
    model[-1].coef_[:] = float("nan")
    return model
train.fit = fit_a_model_that_overflows
train.score = lambda *_: {"accuracy": 0.99}
train.main()
"""
)
"""Its probabilities are no numbers, which JSON cannot say: the server has no answer to give."""
SUCCEEDS_AT_THE_SECOND_ATTEMPT = script(
    "import os, sys; os.environ['ATTEMPT'] == '1' and sys.exit('the first attempt always fails'); "
    + _EXAMPLE
    + "train.main()"
)

OUTAGE_TRAINING_SECONDS = 20
"""MLflow's client asks again after 0, 4, 12, 28, 60 s: begun this long into the outage, it gets through soon after."""

LOGS_DURING_AN_OUTAGE = script(
    _EXAMPLE
    + f"""
fit = train.fit
def there():
    try:
        urllib.request.urlopen(os.environ["MLFLOW_TRACKING_URI"] + "/health", timeout=2)
        return True
    except OSError:
        return False
def fit_while_mlflow_is_away(*given):
    print("training until MLflow is away", flush=True)
    while there():
        time.sleep(0.5)
    time.sleep({OUTAGE_TRAINING_SECONDS})
    print("MLflow has been away for a while; logging", flush=True)
    return fit(*given)
train.fit = fit_while_mlflow_is_away
train.main()
"""
)
"""Opens its run, sees MLflow go away, and logs metrics and model with MLflow's own client while it is away."""
