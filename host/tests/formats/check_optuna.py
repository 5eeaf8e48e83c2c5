"""Compares an Optuna journal with the study it was exported from, by Optuna itself.

    python -m venv /tmp/formats && /tmp/formats/bin/pip install optuna==5.0.0
    attune export s1 --format jsonl --to /tmp/s1.jsonl
    attune export s1 --format optuna --to /tmp/s1.journal
    /tmp/formats/bin/python host/tests/formats/check_optuna.py /tmp/s1.jsonl /tmp/s1.journal

States, values, parameters, values at each epoch, attributes and the best trial are compared, each
trial is put to Optuna's own checks, and a copy of the journal is continued: by all that wait, and
then by ten trials that Optuna's sampler suggests from what it was given.
"""

import math
import shutil
import sys
import tempfile
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from studies import plain, same, trials

STATES = {
    "done": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "diverged": TrialState.FAIL,
    "failed": TrialState.FAIL,
    "lost": TrialState.FAIL,
    "queued": TrialState.WAITING,
    "running": TrialState.WAITING,
    "paused": TrialState.WAITING,
}


def load(journal):
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    storage = optuna.storages.JournalStorage(backend)
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def equal(scalar, found):
    wanted = plain(scalar)
    if isinstance(wanted, list):
        return isinstance(found, str)
    if isinstance(wanted, float) and isinstance(found, (int, float)):
        return same(wanted, found)
    return wanted == found


def check_trial(study, trial, epochs, found):
    value = None if trial["value"] is None else float(trial["value"])
    state = STATES[trial["state"]]
    if state == TrialState.COMPLETE and (value is None or math.isnan(value)):
        state = TrialState.FAIL
    assert found.state == state, (trial["id"], found.state)
    if state in (TrialState.COMPLETE, TrialState.PRUNED) and value == value:
        assert found.value == value, trial["id"]
    else:
        assert found.value is None, trial["id"]
    waits = state == TrialState.WAITING
    params = found.system_attrs["fixed_params"] if waits else found.params
    assert params.keys() == trial["config"].keys(), trial["id"]
    for name, scalar in trial["config"].items():
        assert equal(scalar, params[name]), (trial["id"], name, scalar, params[name])
    metric = f"valid_{study['metric']}"
    reports = {epoch: row[metric] for epoch, row in epochs.items() if metric in row}
    if not waits:
        assert reports.keys() == found.intermediate_values.keys(), trial["id"]
        for epoch, report in reports.items():
            assert same(report, found.intermediate_values[epoch]), (trial["id"], epoch)
        took = float(trial["seconds"])
        if 0 <= took < 1e9:
            assert abs(found.duration.total_seconds() - took) < 2e-3, trial["id"]
    for key in ("seed", "scheduler", "state", "epochs", "steps"):
        assert found.user_attrs[f"attune:{key}"] == trial[key], (trial["id"], key)
    assert found.user_attrs["attune:trial"] == trial["id"]
    assert found.user_attrs.get("attune:reason") == trial["reason"]
    found._validate()


def continue_study(journal, varied):
    """Goes on with the distributions of the last complete trial; says how many had waited."""

    def objective(trial):
        total = 0.0
        for name, distribution in varied.items():
            value = trial._suggest(name, distribution)
            total += value if isinstance(distribution, FloatDistribution) else 0.0
        trial.report(total, 1)
        return total

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "journal"
        shutil.copy(journal, copy)
        study = load(copy)
        before = len(study.trials)
        waiting = len(study.get_trials(states=[TrialState.WAITING]))
        study.sampler = optuna.samplers.TPESampler(seed=0)
        study.optimize(objective, n_trials=waiting + 10)
        again = load(copy)
        assert len(again.trials) == before + 10
        assert not again.get_trials(states=[TrialState.WAITING])
        done = [t for t in again.trials if "attune:trial" not in t.user_attrs]
        assert all(t.state == TrialState.COMPLETE for t in done)
    return waiting


def main(lines, journal):
    each = trials(lines)
    summary = next(each)
    study = load(journal)
    assert study.study_name == f"{summary['name']} ({summary['id']})"
    assert study.direction.name.lower() == summary["direction"]
    assert study.metric_names == [summary["metric"]]
    count, values, complete, varied = 0, 0, [], {}
    found = study.trials
    for (trial, epochs, _, _), there in zip(each, found, strict=True):
        check_trial(summary, trial, epochs, there)
        count, values = count + 1, values + len(there.intermediate_values)
        if there.state == TrialState.COMPLETE:
            complete.append((float(trial["value"]), trial["id"]))
            varied = there.distributions
    if complete:
        pick = min if summary["direction"] == "minimize" else max
        assert study.best_value == pick(complete)[0]
    for distribution in varied.values():
        if not isinstance(distribution, CategoricalDistribution):
            assert distribution.low <= distribution.high
    taken = continue_study(journal, varied)
    print(
        f"{count} trials, {values} reports: all equal; continued by {taken} trials that waited "
        "and 10 new ones"
    )


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    main(sys.argv[1], Path(sys.argv[2]))
