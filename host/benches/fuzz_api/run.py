#!/usr/bin/env python3
"""Fuzzes the whole API of a real daemon, driven by the document that it serves.

    python3 host/benches/fuzz_api/run.py [--seed N] [--examples N] [--workers N] [--program PATH]

It makes a virtual environment under `target/`, installs schemathesis there, builds the program (a
debug build, whose numbers panic where they overflow), starts a daemon in a temporary home with an
ended, a diverged, a failed, a paused, a running, a forked and an imported study, lets it listen on
the loopback interface with a token, and lets schemathesis ask for everything, rightly and wrongly.

Held to: no status of 500 or above, an answer within `--timeout` seconds, documented status codes,
media types and schemas, a typed problem as the body of each refusal, the token asked for, other
methods refused. Afterwards the daemon must be the same process, answer, and have a store that
verifies without damage.

Not asked by schemathesis: `POST /v1/shutdown`, since nobody would be there to be asked more, and the
event streams, which have no end to wait for: what they begin with is looked at here instead.

What was asked, and what was answered to it, is written to `target/python/fuzz_api/report`.
"""

import argparse
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "formats"))

import ground  # noqa: E402

PACKAGES = ["schemathesis==4.32.5"]
# That a request fits the schema does not mean that there is something to do for it: a study file is
# text to the schema, and a trial that is over cannot be paused. And what was just made need not be
# there: a worker is given another number than the one that it may have asked for.
UNFIT = ["positive_data_acceptance", "ensure_resource_availability"]
EVENT_IDS = ["", "0", "-1", "1", "18446744073709551615", "18446744073709551616", "1e9", "é", "x" * 60000]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--examples", type=int, default=60, help="requests a path and phase")
    # With more than one, Python 3.11 now and then fails to parse the library's own lambdas.
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--timeout", type=float, default=30)
    options.add_argument("--program", type=Path, help="a program that is built already")
    asked = options.parse_args()
    ground.enter("fuzz_api", PACKAGES, Path(__file__).resolve())
    program = asked.program or ground.build()

    token = secrets.token_hex(16)
    port = free_port()
    listen = f'workers = 2\n[listen]\naddress = "127.0.0.1:{port}"\ntoken_file = "token"\n'
    with ground.Ground(program, listen) as home:
        file = home.home / "token"
        file.write_text(token + "\n")
        file.chmod(0o600)
        ids = home.populate()
        daemon = home.daemon()
        done = fuzz(home, ids, port, token, asked)
        wrong = [] if done == 0 else ["schemathesis found something"]
        left = [study["id"] for study in home.json("ls")][:6]
        wrong += events(port, token, [f"/v1/studies/{id}/events" for id in left])
        wrong += afterwards(home, daemon)
    for line in wrong:
        print(f"WRONG: {line}")
    print("all is well" if not wrong else f"seed {asked.seed}")
    sys.exit(bool(wrong))


def fuzz(home, ids, port, token, asked):
    (home.folder / "backups").mkdir()
    report = Path(sys.prefix) / "report"
    command = [
        str(Path(sys.prefix) / "bin" / "schemathesis"), "run",
        f"http://127.0.0.1:{port}/v1/openapi.json",
        "--header", f"Authorization: Bearer {token}",
        "--checks", "all", "--exclude-checks", ",".join(UNFIT),
        "--exclude-operation-id", "shutdown",
        "--exclude-operation-id-regex", "events$",
        "--max-examples", str(asked.examples), "--seed", str(asked.seed),
        "--workers", str(asked.workers), "--request-timeout", str(asked.timeout),
        "--continue-on-failure", "--suppress-health-check", "all",
        # The daemon admits a hundred new connections a second and refuses the others, rightly.
        "--rate-limit", "auto",
        "--generation-database", "none",
        "--report", "ndjson", "--report-dir", str(report),
        "--no-color",
    ]  # fmt: skip
    told = json.dumps({"folder": str(home.folder), "ids": ids})
    environment = {**os.environ, "FUZZ_GROUND": told, "SCHEMATHESIS_HOOKS": "hooks"}
    environment["PYTHONPATH"] = str(HERE)
    return subprocess.run(command, env=environment, cwd=home.folder).returncode


def events(port, token, paths):
    """Every stream begins at once, whatever the listener says it has seen, and is an event's."""
    wrong = []
    for path in ["/v1/events", "/v1/studies/s99999/events", *paths]:
        for seen in EVENT_IDS:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.putrequest("GET", path)
            connection.putheader("Authorization", f"Bearer {token}")
            connection.putheader("Last-Event-ID", seen.encode())
            connection.endheaders()
            try:
                answer = connection.getresponse()
            except (http.client.HTTPException, OSError) as error:
                wrong.append(f"{path} after {seen[:30]!r}: {error}")
                continue
            if "s99999" in path:
                if answer.status != 404 or json.loads(answer.read())["code"] != "not_found":
                    wrong.append(f"{path}: {answer.status}")
            elif answer.status != 200 or answer.headers["content-type"] != "text/event-stream":
                wrong.append(f"{path} after {seen[:30]!r}: {answer.status}")
            else:
                first = answer.fp.readline() and answer.fp.readline()
                if not first:
                    wrong.append(f"{path} after {seen[:30]!r}: the stream has ended")
            connection.close()
    return wrong


def afterwards(home, daemon):
    wrong = []
    if home.daemon() != daemon:
        wrong.append(f"the daemon {daemon} is gone; {home.daemon()} runs")
    log = home.run("daemon", "logs", "-n", "100000")
    wrong += [line for line in log.splitlines() if "panicked" in line or "ERROR" in line]
    if damage := home.run("store", "verify", check=False):
        if damage.returncode != 0:
            wrong.append(damage.stdout + damage.stderr)
    home.run("ls")
    return wrong


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


if __name__ == "__main__":
    main()
