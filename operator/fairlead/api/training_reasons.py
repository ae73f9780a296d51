"""The words of a TrainingJob's life, explained. They are part of `reasons.Reason`, which has the list."""

from fairlead.api.explanation import Explanation

EXPLAINED_TRAINING = {
    "Pending": Explanation("The training pod has not started.", "Wait; the message says what is missing."),
    "Training": Explanation("The trainer runs.", "Wait."),
    "Retrying": Explanation(
        "An attempt has failed, and the next one starts after a pause: 10 s, doubling, at most 5 minutes.",
        "Wait, or read in the message why the attempt failed.",
    ),
    "Suspended": Explanation("spec.suspend is set: no trainer runs.", "Set spec.suspend to false to go on."),
    "Gating": Explanation("The trainer has ended well; its metrics are being held against the gate.", "Wait."),
    "Registering": Explanation("The gate has passed; the model is being registered.", "Wait."),
    "Succeeded": Explanation("The model is registered and the alias points at it.", "Nothing."),
    "TrainerSucceeded": Explanation("An attempt's trainer has ended with exit code 0.", "Nothing."),
    "TrainerFailed": Explanation(
        "The trainer exited with an error. The message gives its exit code and last lines.",
        "Mend the trainer; delete the TrainingJob and apply it again.",
        stalls=True,
    ),
    "RunDeadlineExceeded": Explanation(
        "The trainers of all attempts together have run for longer than policy.runDeadline. The Job is deleted.",
        "Make the training shorter, or raise policy.runDeadline; delete the TrainingJob and apply it again.",
        stalls=True,
    ),
    "NoModelLogged": Explanation(
        "The trainer ended well but logged no model in its MLflow run, or none of the name register.artifact.",
        "Log the model (for scikit-learn: mlflow.sklearn.log_model) in the run of MLFLOW_RUN_ID.",
        stalls=True,
    ),
    "AmbiguousModel": Explanation(
        "The trainer logged more than one model in its MLflow run, or several of the name register.artifact.",
        "Log one model in the run, or name one in register.artifact.",
        stalls=True,
    ),
    "MetricMissing": Explanation(
        "The trainer ended well, but a metric of the gate is not in its MLflow run.",
        "Log the metric in the run of MLFLOW_RUN_ID, or correct gate.rules.",
        stalls=True,
    ),
    "MetricNotFinite": Explanation(
        "A metric of the gate is not a number, or infinite.", "Look at the training: it has diverged.", stalls=True
    ),
    "GateFailed": Explanation(
        "A metric is outside the bounds of the gate. Nothing was registered; the message gives the numbers.",
        "Train a better model, or correct gate.rules.",
        stalls=True,
    ),
    "JobDeleted": Explanation(
        "Someone deleted the Job after its trainer had run. It counts as a failed attempt.",
        "Delete the TrainingJob and apply it again.",
        stalls=True,
    ),
    "ManifestFailed": Explanation(
        "The registering pod could not hash the logged model's files. Nothing is registered without their digest.",
        "Read the message. It is tried again every minute, unless the logged model has no files.",
        stalls=True,
    ),
    "AliasConflict": Explanation(
        "The version is registered, or promoted, but its alias belongs to someone else, and is left where it points.",
        "Use another alias, or hand it over in MLflow as the message says; a TrainingJob takes it up by itself, a "
        "ModelDeployment with its next promotion.",
        stalls=True,
    ),
}
