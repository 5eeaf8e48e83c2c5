"""Compares CSV tables with the study they were exported from.

    attune export s1 --format jsonl --to /tmp/s1.jsonl
    attune export s1 --format csv --to /tmp/s1
    python3 host/tests/formats/check_csv.py /tmp/s1.jsonl /tmp/s1

Every cell is compared, numbers bit for bit. Needs nothing but Python.
"""

import csv
import sys
from pathlib import Path

from studies import plain, same, trials


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def check_cell(row, name, wanted):
    found = row[name]
    if isinstance(wanted, bool):
        assert found == str(wanted).lower(), (row, name)
    elif isinstance(wanted, (int, str)) and not name.startswith(("metric.", "value")):
        assert found == str(wanted), (row, name)
    elif not isinstance(wanted, list):
        assert same(wanted, float(found)), (row, name, wanted)
    return 1


def main(lines, folder):
    each = trials(lines)
    next(each)
    of_trials = rows(folder / "trials.csv")
    of_epochs = rows(folder / "epochs.csv")
    of_steps = rows(folder / "steps.csv")
    cells = 0
    for trial, epochs, steps, columns in each:
        row = next(of_trials)
        assert row["trial"] == trial["id"] and row["state"] == trial["state"]
        for key in ("scheduler", "seed", "epochs", "max_epochs", "steps"):
            cells += check_cell(row, key, trial[key])
        assert same(trial["seconds"], float(row["seconds"]))
        if trial["value"] is not None:
            cells += check_cell(row, "value", trial["value"])
        for name, scalar in trial["config"].items():
            cells += check_cell(row, f"config.{name}", plain(scalar))
        for name, value in trial["metrics"].items():
            cells += check_cell(row, f"metric.{name}", value)
        for epoch, metrics in sorted(epochs.items()):
            row = next(of_epochs)
            assert (row["trial"], row["epoch"]) == (trial["id"], str(epoch))
            for name, value in metrics.items():
                assert same(value, float(row[name])), (trial["id"], epoch, name)
                cells += 1
        for at, step in enumerate(steps):
            row = next(of_steps)
            assert (row["trial"], row["step"]) == (trial["id"], str(step))
            for name, values in columns.items():
                assert same(values[at], float(row[name])), (trial["id"], step, name)
                cells += 1
    for table in (of_trials, of_epochs, of_steps):
        assert next(table, None) is None
    print(f"{cells} cells: all equal")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
