"""Compares a study that was exported as JSON lines, imported and exported again with itself.

    attune export s1 --to /tmp/before.jsonl
    attune import /tmp/before.jsonl
    attune export s2 --to /tmp/after.jsonl
    python3 host/tests/formats/check_import.py /tmp/before.jsonl /tmp/after.jsonl

Everything must be the same, numbers bit for bit, but for ids, for what only a study that runs here
can have (checkpoints, and states from which it could go on), and for the note of where it came from.
Needs nothing but Python.
"""

import json
import sys

GOES_ON = {"running", "paused", "queued", "lost"}


def lines(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            ((kind, content),) = json.loads(line).items()
            yield kind, content


def plain(kind, content):
    """A line without what must differ."""
    if kind == "export":
        study = content["study"]
        # Nobody here goes on with what could have gone on there.
        counts = study.pop("trials")
        counts["failed"] += counts.pop("running")
        counts.pop("planned")
        best = study.pop("best_trial")
        for name in ("id", "state", "reason", "ended_unix_ms", "origin"):
            study.pop(name)
        content.pop("attune")
        notes = content.pop("notes")
        notes = [note for note in notes if not note.startswith("imported from ")]
        return content, counts, notes, best and number(best)
    if kind == "trial":
        content["id"] = number(content["id"])
        content.pop("checkpoints")
        if content["state"] in GOES_ON:
            content["state"] = "lost"
        return content
    if kind in ("epochs", "steps"):
        content.pop("of")
    return content


def number(trial):
    return trial.split(".")[1]


def main(before, after):
    count = 0
    for one, other in zip(lines(before), lines(after), strict=True):
        assert one[0] == other[0], (one[0], other[0])
        one, other = plain(*one), plain(*other)
        assert one == other, f"{first_difference(one, other)}"
        count += 1
    print(f"{count} lines: all equal")


def first_difference(one, other, at=""):
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            if one[key] != other[key]:
                return first_difference(one[key], other[key], f"{at}.{key}")
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        for number, pair in enumerate(zip(one, other)):
            if pair[0] != pair[1]:
                return first_difference(*pair, f"{at}[{number}]")
    return f"{at}: {one!r:.300} and {other!r:.300}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
