"""Makes the journal that the tests of `host/src/import` read, with Optuna itself.

    python -m venv /tmp/formats && /tmp/formats/bin/pip install optuna==5.0.0
    /tmp/formats/bin/python host/tests/formats/make_journal.py host/tests/formats

writes `optuna5.journal`, and `optuna5.expected.json` with what Optuna reads from it. Both are
checked in; made anew they differ in their times and ids, and the tests pass as before.

The first study minimizes and has trials that are complete, pruned, failed (an exception, a value
that is not a number), running, enqueued, and one with an infinite value; float, logarithmic, int,
stepped and categorical parameters, one of which exists in some trials alone; steps from 0; values
on the way that are NaN and infinite; attributes. The second maximizes, and its trials were added
whole. The third has two objectives. The fourth was deleted.
"""

import json
import math
import sys
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "lost",
    TrialState.WAITING: "lost",
}


def objective(trial):
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    momentum = trial.suggest_float("momentum", 0.0, 0.9)
    width = trial.suggest_int("width", 32, 256, log=True)
    trial.suggest_int("layers", 1, 5, step=2)
    choice = trial.suggest_categorical("choice", [None, True, 3, 0.5, "word", float("nan")])
    if isinstance(choice, str):
        trial.suggest_float("only.sometimes", -1.0, 1.0)
    if trial.number == 2:
        raise ValueError("on purpose")
    if trial.number == 3:
        return float("nan")
    if trial.number == 5:
        trial.set_user_attr("note", {"nested": [1, "NaN", None]})
        return float("inf")
    for step in range(4):
        value = (math.log(lr) + 4) ** 2 + momentum - step * 0.1 + width * 1e-3
        trial.report([value, float("nan"), -math.inf, value][step] if trial.number == 1 else value, step)
        if trial.number == 4 and step == 2:
            raise optuna.TrialPruned()
    return value


def number(value):
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def scalar(value):
    if value is None:
        return {"text": "None"}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": value}
    if isinstance(value, float):
        return {"float": number(value)}
    return {"text": value}


def expected(study, at):
    trials = study.trials
    shift = int(any(0 in trial.intermediate_values for trial in trials))
    described = []
    for trial in trials:
        seconds = 0.0
        if trial.datetime_start and trial.datetime_complete:
            seconds = trial.duration.total_seconds()
        params = trial.params
        if trial.state == TrialState.WAITING:
            params = trial.system_attrs["fixed_params"]
        described.append(
            {
                "state": STATES[trial.state],
                "value": number(trial.value),
                "config": {name: scalar(value) for name, value in params.items()},
                "reports": {
                    str(step + shift): number(value)
                    for step, value in trial.intermediate_values.items()
                },
                "seconds": seconds,
            }
        )
    return {
        "name": study.study_name,
        "direction": study.direction.name.lower(),
        "best_trial": f"s{at}.{study.best_trial.number}",
        "trials": described,
    }


def main(folder):
    place = folder / "optuna5.journal"
    place.unlink(missing_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(place))
    storage = optuna.storages.JournalStorage(backend)
    sampler = optuna.samplers.RandomSampler(seed=5)

    first = optuna.create_study(storage=storage, study_name="first “study”", sampler=sampler)
    first.set_user_attr("note", "kept nowhere")
    first.optimize(objective, n_trials=9, catch=(ValueError,))
    running = first.ask()
    running.suggest_float("lr", 1e-4, 1e-1, log=True)
    running.report(0.5, 0)
    first.enqueue_trial({"lr": 0.01, "choice": "word"})

    second = optuna.create_study(storage=storage, study_name="second", direction="maximize")
    second.set_metric_names(["accuracy"])
    distributions = {
        "a": FloatDistribution(-1e300, 1e300),
        "b": IntDistribution(-(2**62), 2**62),
        "c": CategoricalDistribution(["x", "y"]),
    }
    for value in [0.1, 1 / 3, 5e-324]:
        params = {"a": -value * 1e300, "b": -3, "c": "y"}
        second.add_trial(
            create_trial(
                params=params,
                distributions=distributions,
                value=value,
                intermediate_values={1: value / 2, 7: value},
            )
        )
    second.ask()

    optuna.create_study(storage=storage, study_name="two goals", directions=["minimize", "maximize"])
    gone = optuna.create_study(storage=storage, study_name="gone")
    gone.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    optuna.delete_study(study_name="gone", storage=storage)
    # The last line belongs to a study that is kept.
    first.tell(first.ask(), 12.5)

    # As another process sees it.
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(place)))
    studies = [
        expected(optuna.load_study(study_name=name, storage=storage), at)
        for at, name in enumerate([first.study_name, second.study_name], 1)
    ]
    text = json.dumps(studies, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "optuna5.expected.json").write_text(text + "\n")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    main(Path(sys.argv[1]))
