"""Writes importance.json beside this file: what Optuna 5.0's PED-ANOVA says of made-up studies.

    python3 -m venv /tmp/optuna && /tmp/optuna/bin/pip install optuna==5.0.0
    /tmp/optuna/bin/python make_importance.py
"""

import json
import pathlib
import warnings

import numpy
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import create_trial

HERE = pathlib.Path(__file__).parent
assert optuna.__version__ == "5.0.0", optuna.__version__
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")

FLOAT = ("float", {"low": -1.0, "high": 2.0, "log": False, "step": None})
RATE = ("float", {"low": 1e-4, "high": 1.0, "log": True, "step": None})
STEPPED = ("float", {"low": 0.0, "high": 1.0, "log": False, "step": 0.05})
LAYERS = ("int", {"low": 1, "high": 4, "log": False})
WIDE = ("int", {"low": -500, "high": 500, "log": False})
BATCH = ("int", {"low": 1, "high": 512, "log": True})
SCHEDULER = ("choice", ["greedy", "cosine", "constant"])
OWN = ("int", {"low": 1, "high": 20, "log": True})
SPACE = {
    "scheduler": SCHEDULER,
    "float": FLOAT,
    "rate": RATE,
    "stepped": STEPPED,
    "layers": LAYERS,
    "wide": WIDE,
    "batch": BATCH,
    "greedy.patience": OWN,
    "cosine.warmup": STEPPED,
}


def distribution(domain):
    kind, of = domain
    if kind == "choice":
        return CategoricalDistribution(of)
    return (FloatDistribution if kind == "float" else IntDistribution)(**of)


def draw(rng, domain):
    kind, of = domain
    if kind == "choice":
        return of[rng.integers(len(of))]
    if kind == "int" and of["log"]:
        return int(round(numpy.exp(rng.uniform(numpy.log(of["low"]), numpy.log(of["high"])))))
    if kind == "int":
        return int(rng.integers(of["low"], of["high"] + 1))
    if of["step"] is not None:
        steps = round((of["high"] - of["low"]) / of["step"])
        return float(of["low"] + of["step"] * rng.integers(steps + 1))
    if of["log"]:
        return float(numpy.exp(rng.uniform(numpy.log(of["low"]), numpy.log(of["high"]))))
    return float(rng.uniform(of["low"], of["high"]))


def config_of(rng):
    config = {name: draw(rng, domain) for name, domain in SPACE.items() if "." not in name}
    for name in ["greedy.patience", "cosine.warmup"]:
        if name.startswith(config["scheduler"] + "."):
            config[name] = draw(rng, SPACE[name])
    return config


def value_of(rng, config, kind):
    if kind == "equal":
        return 1.0
    if kind == "few":
        return float(rng.integers(3))
    value = (numpy.log10(config["rate"]) + 2) ** 2 + 0.3 * config["layers"]
    value += {"greedy": 0.0, "cosine": 0.5, "constant": 1.5}[config["scheduler"]]
    if "greedy.patience" in config:
        value += abs(numpy.log(config["greedy.patience"]) - 1.0)
    return float(value + 0.2 * rng.normal())


cases = []
for seed, (trials, share, kind, direction) in enumerate(
    [
        (200, 0.1, "smooth", "minimize"),
        (200, 0.25, "smooth", "maximize"),
        (300, 0.05, "smooth", "minimize"),
        (60, 0.33, "few", "minimize"),
        (30, 0.1, "smooth", "maximize"),
        (12, 0.1, "smooth", "minimize"),
        (3, 0.5, "smooth", "minimize"),
        (2, 0.1, "smooth", "minimize"),
        (40, 0.1, "equal", "minimize"),
    ]
):
    rng = numpy.random.default_rng(seed)
    study = optuna.create_study(direction=direction)
    rows = []
    for _ in range(trials):
        config = config_of(rng)
        value = value_of(rng, config, kind)
        distributions = {name: distribution(SPACE[name]) for name in config}
        study.add_trial(create_trial(params=config, distributions=distributions, value=value))
        rows.append({"value": value, "config": config})
    evaluator = PedAnovaImportanceEvaluator(target_quantile=share)
    variance = evaluator.evaluate(study)
    cases.append(
        {
            "share": share,
            "maximize": direction == "maximize",
            "trials": rows,
            "variance": variance,
        }
    )

space = {name: {kind: of} for name, (kind, of) in SPACE.items()}
lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
text = f'{{"space":{json.dumps(space)},\n"cases":[\n{lines}\n]}}\n'
(HERE / "importance.json").write_text(text)
