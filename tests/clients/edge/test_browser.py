"""The uint8 file under LiteRT.js in real headless Chromium."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

from clients.edge import chromium
from export.edge.reference_kernels import ReferenceKernels
from export.runner import BrokenRuntimeError, RunError
from training.datasets import load_dataset

PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = pytest.mark.skipif(bool(chromium.missing()), reason="needs make tools-edge browser")


def check(kit, *arguments):
    """What the page of a kit says in Chromium, and the exit code."""
    command = ["node", chromium.BROWSER / "check.mjs", kit, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.fixture
def copy(kit, tmp_path):
    """A kit to spoil: of what the page reads."""
    copy = tmp_path / "kit"
    (copy / "golden").mkdir(parents=True)
    for name in ("kit.json", "model_uint8.tflite", "golden/golden.csv"):
        shutil.copyfile(kit / name, copy / name)
    return copy


def test_the_page_agrees_with_the_golden_vectors(kit, tmp_path):
    code, said, complaint = check(kit, tmp_path / "page.png")
    assert code == 0, said + complaint
    assert re.fullmatch(r"0 of 70 classes differ; \d+ of 700 bytes differ, by at most [01]", said)
    assert (tmp_path / "page.png").read_bytes().startswith(PNG)


def test_the_page_finds_a_planted_difference(copy):
    path = copy / "golden" / "golden.csv"
    head, first, *rest = path.read_text().splitlines()
    cells = dict(zip(head.split(","), first.split(","), strict=True))
    cells[f"output_{cells['expected']}"] = "-128"
    path.write_text("\n".join([head, ",".join(cells.values()), *rest]) + "\n")
    code, said, _ = check(copy)
    assert code == 1
    assert said.startswith("1 of 70 classes differ; ")


@pytest.mark.slow
def test_the_page_says_why_a_model_cannot_be_run(kit, copy):
    (copy / "model_uint8.tflite").write_bytes(b"no model")
    code, said, _ = check(copy)
    assert (code, said) == (1, "failed: Failed to load model from buffer")
    golden = copy / "golden" / "golden.csv"
    head, *rest = golden.read_text().splitlines(keepends=True)
    shutil.copyfile(kit / "model_uint8.tflite", copy / "model_uint8.tflite")
    for content, told in (
        (head, "holds no vector"),
        (head + rest[0].replace("-128", "x", 1), "is damaged"),
        (head + rest[0][:3000] + "\n", "is damaged"),
    ):
        golden.write_text(content)
        assert check(copy)[:2] == (1, f"failed: golden.csv {told}")
    shutil.copyfile(kit / "golden" / "golden.csv", golden)
    (copy / "model_uint8.tflite").unlink()
    assert check(copy)[1] == "failed: /kit/model_uint8.tflite is not served (404)"
    assert check(copy / "golden")[0] == 2


@pytest.fixture
def served(kit):
    """The address of a server of the kit's page."""
    with subprocess.Popen(
        ["node", chromium.BROWSER / "start.mjs", kit], stdout=subprocess.PIPE, text=True
    ) as process:
        yield re.match(r"http://(127\.0\.0\.1:\d+)/ shows", process.stdout.readline())[1]
        process.kill()


def ask(address, request, **headers):
    """The status and the headers that a server gives to a raw request."""
    host, port = address.split(":")
    lines = [request, *(f"{name}: {value}" for name, value in ({"Host": address} | headers).items())]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode(errors="replace")
    head = answer.partition("\r\n\r\n")[0]
    return int(head.split()[1]), head


@pytest.mark.slow
def test_a_link_in_a_kit_leads_nowhere(copy):
    (copy / "model_uint8.tflite").unlink()
    (copy / "model_uint8.tflite").symlink_to("/etc/passwd")
    assert check(copy)[:2] == (1, "failed: /kit/model_uint8.tflite is not served (404)")


def test_the_server_gives_the_page_and_nothing_else_to_nobody_else(served):
    status, head = ask(served, "GET / HTTP/1.1")
    assert status == 200
    assert "Content-Security-Policy: default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" in head
    for place in (
        "/../package.json",
        "/kit/../kit.json",
        "/%2e%2e/serve.mjs",
        "/__proto__",
        "//etc/passwd",
        "//",
    ):
        assert ask(served, f"GET {place} HTTP/1.1")[0] == 404
    assert ask(served, "GET http://[ HTTP/1.1")[0] == 404
    assert ask(served, "POST / HTTP/1.1")[0] == 404
    assert ask(served, "GET /kit/kit.json HTTP/1.1", Host="evil.example")[0] == 404
    assert ask(served, "GET /kit/kit.json HTTP/1.1")[0] == 200


@pytest.mark.slow
def test_neither_the_page_nor_the_browser_asks_anybody_else(kit, tmp_path, monkeypatch):
    log, wrapped = tmp_path / "net.json", tmp_path / "chromium"
    wrapped.write_text(f'#!/bin/sh\nexec {shutil.which("chromium")} --log-net-log={log} "$@"\n')
    wrapped.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(wrapped))
    assert check(kit)[0] == 0
    text = log.read_text()
    assert "/kit/kit.json" in text
    head, _, events = text.partition('"events": [')
    known = json.loads(head.rstrip().rstrip(",") + "}")["constants"]["logEventTypes"]
    looked_up = {known["HOST_RESOLVER_SYSTEM_TASK"], known["HOST_RESOLVER_DNS_TASK"]}
    lines = [line for line in events.splitlines() if line.startswith("{") and line.endswith("},")]
    assert len(lines) > 100
    assert not {json.loads(line.removesuffix(","))["type"] for line in lines} & looked_up


@pytest.mark.slow
def test_a_port_that_cannot_be_had_is_one_line(kit, served):
    for port in (served.split(":")[1], "70000", "web"):
        command = ["node", chromium.BROWSER / "start.mjs", kit, port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert port in done.stderr


def test_numbers_come_back_as_the_reference_kernels_have_them_to_one_step(published, tmp_path):
    kernels = ReferenceKernels(published / "model.uint8.tflite", tmp_path, time_limit_s=120)
    samples = kernels.quantize(load_dataset("mnist").test.inputs["x"][:1000])
    found, release = chromium.answer(published / "model.uint8.tflite", samples, time_limit_s=120)
    expected = kernels.run({"test": samples})["test"]
    assert re.fullmatch(r"LiteRT\.js [\d.]+ in Chromium [\d.]+", release)
    assert found.shape == expected.shape
    assert abs(found.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.slow
def test_a_file_that_no_browser_runs_is_no_fault_of_the_browsers(published, tmp_path, monkeypatch):
    samples = np.zeros((1, 28, 28, 1), np.uint8)
    with pytest.raises(RunError, match="cannot run it: Element type INT8 is not supported"):
        chromium.answer(published / "model.int8.tflite", samples, time_limit_s=60)
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(broken))
    with pytest.raises(BrokenRuntimeError, match="the browser does not work"):
        chromium.answer(published / "model.uint8.tflite", samples, time_limit_s=60)


@pytest.mark.slow
def test_a_browser_that_takes_too_long_is_ended(published, monkeypatch, running):
    samples = np.zeros((100_000, 28, 28, 1), np.uint8)
    with tempfile.TemporaryDirectory(prefix="browser-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with pytest.raises(BrokenRuntimeError, match="within 3 s: raise --time-limit"):
            chromium.answer(published / "model.uint8.tflite", samples, time_limit_s=3)
        assert not running(folder)
        assert not list(Path(folder).iterdir())


@pytest.mark.slow
def test_a_browser_ends_with_a_killed_command(published, interruptible, running, wait_for):
    options = ("--reference", published, "--data", "mnist", "--device", "chromium")
    process = interruptible("parity", published, *options)
    wait_for(lambda: running("answer.mjs"), 60)
    process.kill()
    process.wait()
    wait_for(lambda: not running("answer.mjs"), 60)
    wait_for(lambda: not running("playwright_chromiumdev_profile"), 60)


@pytest.mark.slow
def test_a_browser_gets_a_verdict_by_all_test_samples(keraport, published, tmp_path):
    options = ("--device", "chromium", "--junit", tmp_path / "parity.xml", "--json")
    result = keraport("parity", published, *options, cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    (artifact,) = said["artifacts"]
    assert (said["verdict"], artifact["format"]) == ("pass", "tflite-uint8")
    assert artifact["comparison"]["samples"] == 10_000
    assert "by LiteRT.js" in artifact["reason"]
    assert 'failures="0"' in (tmp_path / "parity.xml").read_text()


@pytest.mark.slow
def test_a_browser_that_answers_as_another_model_fails(keraport, published, run_directory, tmp_path):
    other = keras.saving.load_model(run_directory / "best.keras")
    kernel = other.get_layer("logits").kernel
    kernel.assign(np.take(kernel, [1, 0, *range(2, 10)], axis=1))
    other.save(tmp_path / "other.keras")
    options = ("--device", "chromium", "--reference", tmp_path / "other.keras", "--data", "mnist")
    result = keraport("parity", published, *options, cwd=published.parents[2])
    assert result.returncode == 1, result.stderr
    assert "parity: fail" in result.stdout


@pytest.mark.parametrize("options", [("--url", "127.0.0.1:1"), ("--explain",)])
def test_what_goes_with_no_browser_is_refused(keraport, published, options):
    result = keraport("parity", published, "--device", "chromium", *options, cwd=published.parents[2])
    assert result.returncode == 2
    assert "leave out" in result.stderr


@pytest.mark.slow
def test_a_missing_browser_is_named(published, tmp_path):
    (tmp_path / "node").symlink_to(shutil.which("node"))
    environment = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "keraport", "parity", published, "--device", "chromium"]
    done = subprocess.run(
        command, env=environment, cwd=published.parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "the browser needs chromium: install them, by make tools-edge browser" in done.stderr
