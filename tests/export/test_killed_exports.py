"""SIGKILL at any moment: no half version, no process left over, and the next export goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from export.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[2]

PUBLISHER = """
import sys
from pathlib import Path
import msgspec
from export.manifest import Manifest
from export.publish import publish, staging

draft = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Manifest)
print("ready", flush=True)
while True:
    with staging(Path(sys.argv[2]), "m") as folder:
        for number in range(20):
            (folder / f"part-{number}").write_bytes(bytes(1000 * number))
        print(publish(draft, folder).version, flush=True)
"""


def whole(version):
    return read_manifest(version).version == int(version.name) and all(
        (version / f"part-{number}").stat().st_size == 1000 * number for number in range(20)
    )


def test_publishing_killed_at_many_moments_leaves_whole_versions_alone(published, tmp_path):
    draft = tmp_path / "draft.json"
    draft.write_bytes((published / "manifest.json").read_bytes())
    moments = np.random.default_rng(0)
    for _ in range(25):
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, draft, tmp_path / "models"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0, 0.04))
        process.kill()
        told = [int(line) for line in process.communicate()[0].split()]
        home = tmp_path / "models" / "m"
        versions = [path for path in home.iterdir() if path.name.isdecimal()] if home.is_dir() else []
        assert all(whole(version) for version in versions)
        assert set(told) <= {int(version.name) for version in versions}
    assert len(versions) > 5


def children_of(process):
    """The processes below one, by the system's own table."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    return [child for child, parent in parents.items() if parent == process]


def alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_killed_exports_steps_end_with_it(interruptible, keraport, run_directory, tmp_path):
    models = tmp_path / "models"
    process = interruptible("export", run_directory, "--formats", "onnx", "--repository", models)
    for line in process.stderr:
        if "converting" in line:
            break
    deadline = time.monotonic() + 30
    while not (steps := children_of(process.pid)):
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 30
    while any(alive(step) for step in steps):
        assert time.monotonic() < deadline, "a step outlives its export"
        time.sleep(0.1)
    assert not [path for path in (models / "mnist").iterdir() if path.name.isdecimal()]
    result = keraport("export", run_directory, "--formats", "onnx", "--repository", models, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["manifest"]["version"] == 1
    assert [path.name for path in (models / "mnist").iterdir()] == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(12))
def test_exports_killed_at_many_moments_leave_no_half_version(interruptible, run_directory, tmp_path, moment):
    models = tmp_path / "models"
    process = interruptible("export", run_directory, "--formats", "onnx,tflite", "--repository", models)
    time.sleep(0.5 + 1.8 * moment)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    home = models / "mnist"
    for version in home.iterdir() if home.is_dir() else ():
        assert version.name.startswith(".staging-") or read_manifest(version).version == 1
