"""What schemathesis cannot know of the API by its document: names that mean something, and the form
of every refusal. `run.py` starts it with this file and says in the environment where it runs."""

import json
import os

import schemathesis
from hypothesis import strategies as st

GROUND = json.loads(os.environ["FUZZ_GROUND"])
FOLDER = GROUND["folder"]
STUDIES = list(GROUND["ids"].values())
# Nothing would be left to ask about if each of them could be deleted.
DELETABLE = [GROUND["ids"]["fork"], GROUND["ids"]["failed"], "s9", "s10", "s11", "s12"]
CODES = {
    "invalid": 400,
    "unauthorized": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media": 415,
    "too_many": 429,
    "internal": 500,
    "unavailable": 503,
}

# A tiny study, so that what is accepted comes to its end soon.
WHOLE = """
trials = {trials}
{more}
[data]
path = "wine.csv"
target = "cultivar"
[fidelity]
method = "none"
max_epochs = {epochs}
[space]
scheduler = "{scheduler}"
lr = {lr}
"""

LINES = st.sampled_from(
    [
        "", "seed = -1", "seed = 9223372036854775807", "parallel = 1024", "budget = \"1ms\"",
        "budget = \"1e300h\"", "reproducible = false", "virtual_width = 0", "name = \"\\u0000\"",
        "name = \"" + "n" * 5000 + "\"", "trials = 2", "unknown = 1", "[objective]\nmetric = \"loss\"",
        "[steering]\nevery = 0", "a" * 70000, "[" * 5000,
    ]
)
SPECS = st.builds(
    WHOLE.format,
    trials=st.sampled_from([0, 1, 2, 3, 4294967295, -1]),
    more=LINES,
    epochs=st.sampled_from([1, 2, 3, 0, 4294967296]),
    scheduler=st.sampled_from(["greedy", "cosine", "wsd", "misbehave", "none such", ""]),
    lr=st.sampled_from(["0.1", "nan", "inf", "-0.0", "1e-320", "\"search\"", "[0.1, 0.2]", "[]"]),
)
FILES = st.sampled_from([f"{FOLDER}/fuzz.toml", "", "/nowhere/fuzz.toml", "relative.toml", "/"])
NEW_STUDIES = st.fixed_dictionaries(
    {"spec": SPECS, "file": FILES},
    optional={"parallel": st.integers(0, 65535), "plugins": st.lists(FILES, max_size=2)},
)
FORKS = st.fixed_dictionaries(
    {},
    optional={
        "at": st.integers(0, 2**64 - 1),
        "scheduler": st.sampled_from(["greedy", "wsd", "none", ""]),
        "set": st.dictionaries(
            st.sampled_from(["lr", "dropout", "width", "greedy.patience", "patience", "x"]),
            st.sampled_from(["0.1", "nan", "-1", "1e999", "[1", "99999999999999999999", ""]),
            max_size=2,
        ),
    },
)
RESUMES = st.fixed_dictionaries(
    {},
    optional={
        "trials": st.sampled_from([0, 1, 13, 4294967295]),
        "budget": st.sampled_from(["1ms", "0s", "-1s", "1e308h", "nan", ""]),
        "parallel": st.sampled_from([0, 1, 65535]),
        "spec": SPECS,
    },
)
BODIES = {"create_study": NEW_STUDIES, "fork": FORKS, "resume_study": RESUMES}
ZOOMS = st.fixed_dictionaries(
    {"column": st.sampled_from(["loss", "lr", "valid_loss", ""])},
    optional={
        "from": st.integers(0, 2**64 - 1),
        "to": st.integers(0, 2**64 - 1),
        "points": st.sampled_from([1, 2, 10000]),
    },
)


@schemathesis.hook
def before_generate_path_parameters(context, strategy):
    """Studies and trials that there are, as often as those that there are not."""
    names = [part.name for part in context.operation.path_parameters]
    if names == ["study"]:
        label = context.operation.label
        known = DELETABLE if label.startswith("DELETE") else STUDIES
        return strategy | st.fixed_dictionaries({"study": st.sampled_from(known)})
    if names == ["trial"]:
        trials = st.builds("{}.{}".format, st.sampled_from(STUDIES), st.integers(0, 3))
        return strategy | st.fixed_dictionaries({"trial": trials})
    if names == ["worker"]:
        return strategy | st.fixed_dictionaries({"worker": st.integers(0, 3)})
    return strategy


@schemathesis.hook
def before_generate_query(context, strategy):
    return strategy | ZOOMS if context.operation.label.endswith("/zoom") else strategy


@schemathesis.hook
def before_generate_body(context, strategy):
    """Bodies that come far."""
    own = BODIES.get(context.operation.definition.raw.get("operationId"))
    return strategy | own if own is not None else strategy


@schemathesis.hook
def before_call(context, case, kwargs):
    """A backup goes where the fuzz ends with everything else, and nowhere else on the disk."""
    if case.operation.label == "POST /v1/store/backup" and isinstance(case.body, dict):
        path = case.body.get("path")
        if isinstance(path, str) and path.startswith("/"):
            case.body["path"] = FOLDER + "/backups" + path


@schemathesis.check
def refusals_are_problems(ctx, response, case):
    """Whatever goes wrong is told in one form."""
    if response.status_code < 400:
        return
    kind = response.headers.get("content-type", [""])[0]
    assert kind == "application/json", f"a refusal of type {kind!r}"
    problem = response.json()
    assert set(problem) == {"code", "message"}, f"a refusal that is no problem: {problem}"
    assert CODES.get(problem["code"]) == response.status_code, f"not its status: {problem}"
    assert problem["message"].strip(), "a refusal without words"
