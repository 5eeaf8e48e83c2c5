"""Reads what `attune export --format jsonl` writes, for the scripts beside this one."""

import json


def trials(path):
    """Yields the study's summary, then each trial's summary, epochs and steps."""
    trial = None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            ((kind, content),) = json.loads(line).items()
            if kind == "export":
                yield content["study"]
            elif kind in ("trial", "end"):
                if trial:
                    yield trial
                trial = (content, {}, [], {})
            elif kind == "epochs":
                trial[1].update({int(epoch): row for epoch, row in content["epochs"].items()})
            elif kind == "steps":
                trial[2].extend(content["steps"])
                for name, values in content["columns"].items():
                    trial[3].setdefault(name, []).extend(values)


def same(wire, value):
    """Whether a number of the wire is this float, bit for bit; any NaN is like any other."""
    wire = float(wire)
    return wire.hex() == float(value).hex() or (wire != wire and value != value)


def plain(scalar):
    """A configuration's value without its type."""
    ((kind, value),) = scalar.items()
    return float(value) if kind == "float" else value
