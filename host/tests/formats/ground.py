"""A real daemon with studies of every kind in a home of its own, for the scripts beside this one and
for `host/benches/fuzz_api.py`.

It also makes the virtual environments in which those scripts run: nothing that they install comes
near the project, and what one run has installed the next one finds.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 120

ENDED = """
name = "ended “study”"
seed = 5
trials = 12
[data]
path = "wine.csv"
target = "cultivar"
[fidelity]
min_epochs = 2
max_epochs = 9
[space]
scheduler = ["greedy", "cosine", "multistep", "hypergradient", "cosine-restarts"]
lr = "search"
width = [8, 16]
batch_size = 16
dropout = { low = 0.0, high = 0.4 }
"""

# Regression on the raw scale, with rates that are far too high: most of its trials diverge.
DIVERGED = """
seed = 2
trials = 5
[data]
path = "diabetes.csv"
target = "progression"
[fidelity]
method = "none"
max_epochs = 3
[space]
scheduler = ["constant", "greedy"]
optimizer = "sgd"
lr = [0.001, 500.0, 1000.0]
[steering]
max_lr = 1000.0
"""

# The plugin of the tests, whose task is to fail in every way.
FAILED = """
seed = 3
trials = 8
[data]
path = "wine.csv"
target = "cultivar"
[fidelity]
method = "none"
max_epochs = 2
[space]
scheduler = ["misbehave", "constant"]
misbehave.action = ["error", "panic", "nan", "none"]
misbehave.at_step = 2
lr = 0.01
"""

# It never ends by itself.
ENDLESS = """
name = "endless"
seed = 4
trials = 100000
parallel = 1
[data]
path = "wine.csv"
target = "cultivar"
[fidelity]
method = "none"
max_epochs = 100000
[space]
scheduler = ["greedy", "cosine"]
lr = "search"
# Large, so that it fills no store while it runs.
width = 512
layers = 2
batch_size = 128
"""


def enter(name, packages, script):
    """Goes on in a virtual environment that has `packages`, which is made where there is none."""
    place = ROOT / "target" / "python" / name
    python = place / "bin" / "python"
    if Path(sys.prefix) == place:
        return
    done = place / "installed"
    if not done.exists() or done.read_text().split() != packages:
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True)
        done.write_text("\n".join(packages))
    os.execv(python, [str(python), str(script), *sys.argv[1:]])


def build(release=False):
    """The program, fresh; a debug build by default, which also panics where a number overflows."""
    command = ["cargo", "build", "--workspace", "--locked", "--quiet"]
    subprocess.run(command + ["--release"] * release, cwd=ROOT, check=True)
    return ROOT / "target" / ("release" if release else "debug") / "attune"


class Ground:
    """A home in a temporary folder. Left as a context, its daemon is stopped and all of it goes."""

    def __init__(self, program, configuration=""):
        self.program = Path(program).resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="attune-ground-"))
        self.home = self.folder / "home"
        self.home.mkdir()
        for table in ("wine", "diabetes"):
            shutil.copy(ROOT / "examples" / "data" / f"{table}.csv", self.folder)
        misbehave = self.program.parent / "libattune_misbehave.so"
        text = f"plugins = [{json.dumps(str(misbehave))}]\nidle_exit = \"never\"\n"
        (self.home / "config.toml").write_text(text + configuration)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pid = self.daemon()
        self.run("daemon", "stop", check=False)
        if pid and Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        ours = {name: value for name, value in os.environ.items() if not name.startswith("ATTUNE_")}
        return {**ours, "ATTUNE_HOME": str(self.home)}

    def run(self, *args, check=True):
        """Runs the program to its end, and gives what it printed."""
        command = [str(self.program), *map(str, args)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"attune {' '.join(command[1:])}: {done.stderr}")
        return done.stdout.strip() if check else done

    def json(self, *args):
        return json.loads(self.run(*args, "--json"))

    def daemon(self):
        """The daemon's process, where one runs."""
        try:
            line = (self.home / "state" / "daemon.lock").read_text().splitlines()[0]
            pid = json.loads(line)["pid"]
        except (OSError, ValueError, IndexError, KeyError):
            return None
        return pid if Path(f"/proc/{pid}").exists() else None

    def study(self, name, text):
        """Starts a study in the background."""
        file = self.folder / f"{name}.toml"
        file.write_text(text)
        return self.run("run", file, "--detach")

    def state(self, id):
        return self.json("ls", id)["study"]["state"]

    def wait(self, condition, what):
        until = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > until:
                raise RuntimeError(f"waited in vain until {what}")
            time.sleep(0.02)
        return found

    def populate(self):
        """Runs studies of every kind; gives their ids by kind."""
        ids = {
            kind: self.study(kind, text)
            for kind, text in [("ended", ENDED), ("diverged", DIVERGED), ("failed", FAILED)]
        }
        for id in ids.values():
            self.wait(lambda id=id: self.state(id) == "done", f"{id} is done")
        ids["paused"] = self.study("paused", ENDLESS.replace("endless", "paused"))
        self.wait_for_epoch(ids["paused"])
        self.run("pause", ids["paused"])
        parent = f"{ids['paused']}.0"
        ids["fork"] = self.fork(parent, "--scheduler", "plateau", "--set", "lr=0.02")
        self.wait_for_epoch(ids["fork"])
        self.run("stop", ids["fork"])
        journal = ROOT / "host" / "tests" / "formats" / "optuna5.journal"
        told = self.run("import", journal, check=False)
        assert told.returncode == 0, told.stderr
        ids["imported"] = told.stdout.split()[0]
        ids["running"] = self.study("running", ENDLESS)
        self.wait_for_epoch(ids["running"])
        return ids

    def fork(self, trial, *args):
        return self.run("fork", trial, *args).split()[0]

    def wait_for_epoch(self, id):
        def trained():
            trials = self.json("ls", id)["trials"]
            return any(trial["epochs"] > 0 for trial in trials)

        self.wait(trained, f"{id} has trained an epoch")
