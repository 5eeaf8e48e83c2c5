"""Trials that cost next to nothing, a second, by Optuna.

    optuna_trials.py journal|sqlite random|default TRIALS PROCESSES

The processes share one study through the storage. They are counted from when all of them have opened
it and imported what they need.
"""

import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import optuna

NAME = "near zero"


def storage(kind, folder):
    if kind == "journal":
        backend = optuna.storages.journal.JournalFileBackend(str(folder / "journal.log"))
        return optuna.storages.JournalStorage(backend)
    return optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")


def objective(trial):
    return sum(trial.suggest_float(f"x{i}", -5.0, 5.0) ** 2 for i in range(4))


def work(kind, sampler, folder, seed, trials, ready):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Without a sampler it takes its own choice.
    sampler = optuna.samplers.RandomSampler(seed=seed) if sampler == "random" else None
    study = optuna.load_study(study_name=NAME, storage=storage(kind, folder), sampler=sampler)
    ready.wait()
    study.optimize(objective, n_trials=trials)
    ready.wait()


def main():
    kind, sampler, trials, processes = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        study = optuna.create_study(study_name=NAME, storage=storage(kind, folder))
        ready = multiprocessing.Barrier(processes + 1)
        each = trials // processes
        workers = [
            multiprocessing.Process(target=work, args=(kind, sampler, folder, seed, each, ready))
            for seed in range(processes)
        ]
        for worker in workers:
            worker.start()
        ready.wait()
        began = time.perf_counter()
        ready.wait()
        seconds = time.perf_counter() - began
        for worker in workers:
            worker.join()
        assert len(study.trials) == each * processes, "trials are missing"
    print(each * processes / seconds)


main()
