"""Compares TensorBoard event files with the study they were exported from, by TensorBoard itself.

    python -m venv /tmp/formats && /tmp/formats/bin/pip install tensorboard==2.21.0
    attune export s1 --format jsonl --to /tmp/s1.jsonl
    attune export s1 --format tensorboard --to /tmp/runs
    /tmp/formats/bin/python host/tests/formats/check_tensorboard.py /tmp/s1.jsonl /tmp/runs

Every value of every epoch and step is compared as the 32-bit float that it is there, with its step;
so is the configuration in the plugin data of the HPARAMS tab, and what that tab's own code makes of
all runs together. Then the server is started as a user starts it, whose other reader must show the
same runs and curves.
"""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy

from studies import plain, same, trials
from tensorboard import context as context_module
from tensorboard.backend.event_processing import data_provider, event_accumulator
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups, metadata

ENDED = {"done": 1, "stopped": 1, "diverged": 2, "failed": 2, "lost": 2}


def single(value):
    with numpy.errstate(over="ignore"):
        return numpy.float32(float(value))


def compare(run, tag, points):
    """Compares one curve; returns its length."""
    events = run.Scalars(tag)
    assert [event.step for event in events] == [step for step, _ in points], tag
    for event, (step, value) in zip(events, points):
        assert same(single(value), event.value), (tag, step, value, event.value)
    return len(points)


def check_run(folder, trial, epochs, steps, columns):
    run = event_accumulator.EventAccumulator(str(folder), {event_accumulator.SCALARS: 0})
    run.Reload()
    left = {*run.Tags()["scalars"], *run.Tags()["tensors"]}
    values = 0
    names = {name for row in epochs.values() for name in row}
    for name in names:
        points = [(epoch, row[name]) for epoch, row in sorted(epochs.items()) if name in row]
        values += compare(run, f"epoch/{name}", points)
        left.remove(f"epoch/{name}")
    for name, column in columns.items():
        if steps:
            values += compare(run, f"step/{name}", list(zip(steps, column)))
            left.remove(f"step/{name}")
    if trial["value"] is not None:
        at = trial["best_epoch"] if trial["best_epoch"] is not None else trial["epochs"]
        values += compare(run, "objective", [(at, trial["value"])])
        left.remove("objective")

    content = run.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = metadata.parse_session_start_info_plugin_data(content)
    for name, scalar in trial["config"].items():
        found = start.hparams[name]
        wanted = plain(scalar)
        finite = isinstance(wanted, (int, float)) and abs(float(wanted)) < float("inf")
        if isinstance(wanted, bool):
            assert found.bool_value == wanted, name
        elif finite:
            assert found.number_value == wanted, name
        elif isinstance(wanted, str):
            assert found.string_value == wanted, name
    left.remove(metadata.SESSION_START_INFO_TAG)
    if trial["state"] in ENDED:
        content = run.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
        end = metadata.parse_session_end_info_plugin_data(content)
        assert end.status == ENDED[trial["state"]]
        took = float(trial["seconds"])
        took = took if abs(took) < float("inf") else 0.0
        assert abs(end.end_time_secs - start.start_time_secs - took) < 1e-3
        left.remove(metadata.SESSION_END_INFO_TAG)
    assert not left, left
    return values


def check_tab(folder, summaries):
    """What the HPARAMS tab shows: each trial with its configuration and its objective."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer(
        tensor_size_guidance={"scalars": 1, "hparams": 1}
    )
    multiplexer.AddRunsFromDirectory(str(folder)).Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    context = backend_context.Context(
        base_plugin.TBContext(data_provider=provider, logdir=str(folder))
    )
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=len(summaries) + 1,
        allowed_statuses=[0, 1, 2, 3],
        col_params=[],
    )
    request_context = context_module.RequestContext()
    experiment = context.experiment_from_metadata(
        request_context, "", include_metrics=True,
        hparams_run_to_tag_to_content=context.hparams_metadata(request_context, ""),
        data_provider_hparams=[],
    )
    for info in experiment.metric_infos:
        column = request.col_params.add()
        column.metric.CopyFrom(info.name)
    groups = list_session_groups.Handler(request_context, context, "", request).run()
    shown = {group.name: group for group in groups.session_groups}
    assert shown.keys() == summaries.keys(), (len(shown), len(summaries))
    for name, trial in summaries.items():
        assert trial["config"].keys() <= shown[name].hparams.keys(), name
        found = [m.value for m in shown[name].metric_values if m.name.tag == "objective"]
        if trial["value"] is not None:
            assert len(found) == 1 and same(single(trial["value"]), found[0]), (name, found)


def check_server(folder, summaries, port=6396, patience=120):
    """What a browser is given."""
    command = ["tensorboard", "--logdir", folder, "--port", str(port), "--load_fast", "true"]
    server = subprocess.Popen(
        [str(Path(sys.executable).parent / command[0]), *map(str, command[1:])],
        stderr=subprocess.DEVNULL,
    )

    def ask(path):
        url = f"http://localhost:{port}/data/plugin/scalars/{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    wanted = {name for name, trial in summaries.items() if trial["value"] is not None}
    until = time.monotonic() + patience
    try:
        while True:
            try:
                tags = ask("tags")
                if wanted <= {run for run, has in tags.items() if "objective" in has}:
                    break
            except OSError:
                pass
            assert time.monotonic() < until, "not all runs are shown"
            time.sleep(0.2)
        for name in wanted:
            ((_, _, value),) = ask(f"scalars?run={name}&tag=objective")
            assert same(single(summaries[name]["value"]), value), name
    finally:
        server.terminate()
        server.wait()
    return len(wanted)


def main(lines, folder):
    each = trials(lines)
    next(each)
    summaries, values = {}, 0
    for trial, epochs, steps, columns in each:
        values += check_run(folder / trial["id"], trial, epochs, steps, columns)
        summaries[trial["id"]] = trial
    assert {path.name for path in folder.iterdir()} == summaries.keys()
    check_tab(folder, summaries)
    shown = check_server(folder, summaries)
    print(f"{len(summaries)} trials, {values} values: all equal; {shown} runs shown by the server")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
