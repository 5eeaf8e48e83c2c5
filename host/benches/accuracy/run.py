#!/usr/bin/env python3
"""How good the models of `attune fit` are, left to its defaults, on rows that nothing was fitted to.

    python3 host/benches/accuracy/run.py [--seeds N] [--program PATH] [digits] [wine] [diabetes]

It makes a virtual environment under `target/`, installs scikit-learn there, builds the program (a
release build), and prints a table in Markdown. It exits with 1 where a goal is missed.

Digits and wine are fitted as they lie in `examples/data`, each with several seeds, which also split
the rows; accuracy is that of the best trial on its test rows. Wine has only 26 of those a seed, of
which each is a 26th, so that it takes more seeds to tell 0.97 from 0.96. Diabetes is measured against ridge
regression, a multi-layer perceptron and gradient boosting of scikit-learn, which choose their
settings by cross-validation. For that the rows are shuffled and numbered, and the study that `fit`
writes is told that the number is the time: so the first 70% train, the last 15% test, and which rows
those are is known here. Everybody learns from the same training rows, and is judged on the same test
rows by the same function. What lies between them chooses Attune's trial and epoch.
"""

import argparse
import csv
import io
import os
import sys
import time
from pathlib import Path
from statistics import mean

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "formats"))

import ground  # noqa: E402

PACKAGES = ["numpy==2.4.6", "scikit-learn==1.8.0"]
TABLES = {"digits": "digit", "wine": "cultivar", "diabetes": "progression"}
SEEDS = {"digits": 5, "wine": 15, "diabetes": 5}
SECONDS = 60
NEAR = 0.02


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    options.add_argument("--seeds", type=int, help=f"of each table; where not given {SEEDS}")
    options.add_argument("--program", type=Path, help="a program that is built already")
    asked = options.parse_args()
    unknown = set(asked.tables) - set(TABLES)
    if unknown:
        options.error(f"there is no table {', '.join(sorted(unknown))}")
    ground.enter("accuracy", PACKAGES, Path(__file__).resolve())
    program = asked.program or ground.build(release=True)
    print(machine(), "\n")
    print("| | each seed | mean | goal |")
    print("|---|---|---|---|")
    met = []
    with ground.Ground(program) as home:
        for table, goal in [("digits", 0.98), ("wine", 0.97)]:
            if table in (asked.tables or TABLES):
                met += classes(home, table, goal, range(asked.seeds or SEEDS[table]))
        if "diabetes" in (asked.tables or TABLES):
            met += numbers(home, "diabetes", range(asked.seeds or SEEDS["diabetes"]))
    sys.exit(0 if all(met) else 1)


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1] for line in lines if line.startswith("model name")), "?")
    return f"{os.cpu_count()} cores of {model.strip()}"


def row(what, figures, least=None, most=None, form=".3f"):
    """Prints figures beside what their mean must be at least, or each of them at most; says whether
    that is so."""
    goal = "" if least is None else f"≥ {least:{form}}"
    goal = goal if most is None else f"≤ {most:{form}}"
    each = ", ".join(format(figure, form) for figure in figures)
    print(f"| {what} | {each} | {mean(figures):{form}} | {goal} |", flush=True)
    return (least is None or mean(figures) >= least) and (most is None or max(figures) <= most)


def fit(home, data, target, seed):
    """Fits with the defaults; gives the study and how long it took."""
    began = time.monotonic()
    arguments = ["fit", data, "--target", target, "--seed", seed]
    study = home.json(*arguments, "--save-study", home.folder / "study.toml")
    return study, time.monotonic() - began


def tested(study, metric):
    """What the best trial has on its test rows."""
    best = study["study"]["best_trial"]
    return next(t["metrics"][f"test_{metric}"] for t in study["trials"] if t["id"] == best)


def classes(home, table, goal, seeds):
    data = ground.ROOT / "examples" / "data" / f"{table}.csv"
    fits = [fit(home, data, TABLES[table], seed) for seed in seeds]
    accuracies = [tested(study, "accuracy") for study, _ in fits]
    return [
        row(f"{table}, accuracy", accuracies, least=goal),
        row(f"{table}, seconds", [took for _, took in fits], most=SECONDS, form=".1f"),
    ]


def numbers(home, table, seeds):
    target = TABLES[table]
    ours, taken, theirs = [], [], {}
    for seed in seeds:
        data = home.folder / "rows.csv"
        header, train, valid, test = shuffled(table, seed)
        write(data, header, train + valid + test)
        _, took = fit(home, data, target, seed)
        taken.append(took)
        ours.append(ours_by_time(home, header, test, target))
        for name, r2 in rivals(header, train, test, target, seed).items():
            theirs.setdefault(name, []).append(r2)
    best = max(mean(figures) for figures in theirs.values())
    met = [
        row(f"{table}, R²", ours, least=best - NEAR),
        row(f"{table}, seconds", taken, most=SECONDS, form=".1f"),
    ]
    for name, figures in theirs.items():
        row(f"… {name}", figures)
    return met


def shuffled(table, seed):
    """The header and the rows of each part, numbered in a new order."""
    import numpy as np

    with open(ground.ROOT / "examples" / "data" / f"{table}.csv", newline="") as file:
        header, *rows = csv.reader(file)
    order = np.random.default_rng(seed).permutation(len(rows))
    rows = [[number, *rows[place]] for number, place in enumerate(order)]
    valid, test = round(0.7 * len(rows)), round(0.85 * len(rows))
    return ["order", *header], rows[:valid], rows[valid:test], rows[test:]


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def ours_by_time(home, header, test, target):
    """R² of the study that `fit` wrote, split by number: of what its model predicts."""
    from sklearn.metrics import r2_score

    text = (home.folder / "study.toml").read_text()
    place = f'target = "{target}"\n'
    assert place in text, text
    by_time = home.folder / "by_time.toml"
    by_time.write_text(text.replace(place, place + 'time = "order"\n'))
    model = home.folder / "model.safetensors"
    study = home.json("run", by_time, "--out", model)
    rows = home.folder / "test.csv"
    write(rows, header, test)
    answers = csv.DictReader(io.StringIO(home.run("predict", model, rows)))
    predicted = [float(answer["prediction"]) for answer in answers]
    at = header.index(target)
    r2 = r2_score([float(row[at]) for row in test], predicted)
    # Or other rows were tested there.
    assert abs(r2 - tested(study, "r2")) < 1e-3, (r2, tested(study, "r2"))
    return r2


def rivals(header, train, test, target, seed):
    """R² of each rival on the test rows."""
    import numpy as np
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def read(rows):
        at = header.index(target)
        values = np.array([[float(cell) for cell in row] for row in rows])
        return np.delete(values, [0, at], axis=1), values[:, at]

    def scaled(model):
        return TransformedTargetRegressor(
            make_pipeline(StandardScaler(), model), transformer=StandardScaler()
        )

    x, y = read(train)
    unseen, truth = read(test)
    searched = {
        "ridge": (Ridge(), {"alpha": np.logspace(-2, 3, 11)}),
        "perceptron": (
            MLPRegressor(early_stopping=True, max_iter=500, random_state=seed),
            {"alpha": [1e-3, 1e-1, 10.0], "learning_rate_init": [3e-3, 3e-2]},
        ),
        "gradient boosting": (
            GradientBoostingRegressor(subsample=0.5, random_state=seed),
            {"n_estimators": [50, 100], "learning_rate": [0.03, 0.1], "max_depth": [1, 2, 3]},
        ),
    }
    found = {}
    for name, (model, grid) in searched.items():
        grid = {f"regressor__{type(model).__name__.lower()}__{key}": v for key, v in grid.items()}
        folds = KFold(5, shuffle=True, random_state=seed)
        search = GridSearchCV(scaled(model), grid, scoring="r2", cv=folds)
        found[name] = r2_score(truth, search.fit(x, y).predict(unseen))
    return found


if __name__ == "__main__":
    main()
