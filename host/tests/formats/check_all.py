#!/usr/bin/env python3
"""Checks every form that Attune writes and reads, on real studies, with the programs they are for.

    python3 host/tests/formats/check_all.py [--program PATH]

It makes a virtual environment under `target/`, installs Optuna and TensorBoard there, builds the
program, runs studies whose trials are done, stopped, diverged, failed, paused and in training, with
list and conditional parameters, numbers that are NaN or infinite, and a fork; exports each of them
in each form; and has each form read by `check_csv.py`, `check_optuna.py` (which also goes on with
the study, in Optuna), `check_tensorboard.py` and `check_import.py`. Then Optuna makes a journal anew
(`make_journal.py`), which is imported whole, with its tail cut off at many places, and damaged.

What needs no Python of this is in the tests of `host/src/export` and `host/src/import`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import ground

HERE = Path(__file__).resolve().parent
PACKAGES = ["optuna==5.0.0", "tensorboard==2.21.0", "setuptools==80.9.0", "prometheus_client==0.26.0"]

STATES = {"done", "stopped", "diverged", "failed", "paused", "lost"}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--program", type=Path, help="a program that is built already")
    asked = options.parse_args()
    ground.enter("formats", PACKAGES, Path(__file__).resolve())
    program = asked.program or ground.build()
    wrong = []
    with ground.Ground(program) as home:
        ids = home.populate()
        home.run("stop", ids["running"])
        there = {trial["state"] for id in ids.values() for trial in home.json("ls", id)["trials"]}
        # What is missing here would not have been checked.
        wrong += [f"no trial is {state}" for state in sorted(STATES - there)]
        for kind, id in ids.items():
            wrong += forms(home, kind, id)
        wrong += journals(home)
        wrong += metrics(home)
    for line in wrong:
        print(f"WRONG: {line}")
    print("all is well" if not wrong else f"{len(wrong)} wrong")
    sys.exit(bool(wrong))


def check(script, *args):
    """Runs one of the scripts; gives what is wrong."""
    command = [sys.executable, str(HERE / f"{script}.py"), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return [f"{script} {args[0]}: {done.stderr.strip()[-1500:]}"]
    print(f"{script} {Path(args[0]).stem}: {done.stdout.strip()}", flush=True)
    return []


def forms(home, kind, id):
    place = home.folder / kind
    place.mkdir()
    lines = place / f"{kind}.jsonl"
    home.run("export", id, "--to", lines)
    home.run("export", id, "--format", "csv", "--to", place / "csv")
    home.run("export", id, "--format", "tensorboard", "--to", place / "runs")
    home.run("export", id, "--format", "optuna", "--to", place / "journal")
    again = home.run("import", lines)
    home.run("export", again, "--to", place / "again.jsonl")
    return [
        *check("check_csv", lines, place / "csv"),
        *check("check_optuna", lines, place / "journal"),
        *check("check_tensorboard", lines, place / "runs"),
        *check("check_import", lines, place / "again.jsonl"),
    ]


def journals(home):
    """A journal that Optuna makes here and now is taken in, as far as it is whole."""
    wrong = check("make_journal", home.folder)
    journal = home.folder / "optuna5.journal"
    ids = home.run("import", journal).split()
    if len(ids) != 2:
        wrong.append(f"of the studies with one goal, {ids} came of a whole journal")
    whole = journal.read_bytes()
    for kept in range(0, len(whole), max(1, len(whole) // 12)):
        cut = home.folder / "cut.journal"
        cut.write_bytes(whole[:kept])
        wrong += refused_or_taken(home, cut, f"cut after {kept} bytes")
    for at in range(0, len(whole), max(1, len(whole) // 12)):
        damaged = home.folder / "damaged.journal"
        damaged.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        wrong += refused_or_taken(home, damaged, f"damaged at byte {at}")
    return wrong


def refused_or_taken(home, journal, what):
    done = home.run("import", journal, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    if done.returncode == 0 or (done.returncode == 1 and len(errors) == 1):
        return []
    return [f"a journal {what}: code {done.returncode}, {done.stderr}"]


def metrics(home):
    """What Prometheus reads, read by its own library."""
    from prometheus_client.parser import text_string_to_metric_families

    asked = ["curl", "--silent", "--unix-socket", str(home.home / "run" / "attune.sock")]
    text = subprocess.run(
        [*asked, "http://attune/metrics"], capture_output=True, text=True, check=True
    ).stdout
    wrong = []
    samples = set()
    for family in text_string_to_metric_families(text):
        name = family.name
        if not family.documentation or family.type == "unknown":
            wrong.append(f"{name} has no help or no type")
        if not name.startswith("attune_") or name.endswith(("_total", "_count", "_sum", "_bucket")):
            wrong.append(f"{name} is no name for a gauge of attune's")
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            if key in samples:
                wrong.append(f"{key} is there twice")
            samples.add(key)
    print(f"metrics: {len(samples)} samples")
    return wrong


if __name__ == "__main__":
    main()
