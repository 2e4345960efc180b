"""`keraport serve`: every way not to start is one line and exit code 2."""

import signal
import socket
import subprocess
import sys

import pytest

from export.verdict import Verdict

PORTS = ["--port=0", "--http-port=off", "--metrics-port=off"]


@pytest.fixture
def refusal(keraport):
    """The one line that a start which fails leaves on stderr, after the log's."""

    def refusal(*arguments):
        result = keraport("serve", *arguments, timeout=60)
        assert (result.returncode, result.stdout) == (2, "")
        *log, line = result.stderr.splitlines()
        assert line.startswith("error: ")
        return log, line

    return refusal


def test_a_missing_repository(refusal, tmp_path):
    log, line = refusal("--repository", tmp_path / "none", *PORTS)
    assert log == []
    assert "cannot be read (No such file or directory): run `keraport export` first" in line


def test_an_empty_repository(refusal, tmp_path):
    log, line = refusal("--repository", tmp_path, *PORTS)
    assert log == []
    assert "holds no published model: run `keraport export` first" in line


def test_nothing_servable(refusal, tmp_path, publish_classifier):
    publish_classifier(tmp_path, verdict=Verdict.FAIL, reason="another model")
    log, line = refusal("--repository", tmp_path, *PORTS)
    assert len(log) == 1
    assert "digits version 1 is not served: its verdict is fail (another model)" in log[0]
    assert "can be served, see above" in line


def test_an_unknown_model(refusal, tmp_path, publish_classifier):
    publish_classifier(tmp_path)
    _, line = refusal("--repository", tmp_path, *PORTS, "--model", "letters")
    assert "holds no model 'letters', but digits" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_before_it_is_ready(tmp_path, publish_classifier, number):
    publish_classifier(tmp_path, "digits", 1, idle_turns=400_000)  # takes seconds to warm up
    publish_classifier(tmp_path, "digits", 2, verdict=Verdict.FAIL)
    publish_classifier(tmp_path, "letters", 1, idle_turns=4_000_000)
    command = [sys.executable, "-m", "keraport", "serve", *PORTS, "--repository", tmp_path]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        first = process.stderr.readline()
        assert "digits version 2 is not served" in first
        process.send_signal(number)
        rest = process.stderr.read()
    assert (process.returncode, rest) == (0, "")


def test_a_port_in_use(refusal, tmp_path, publish_classifier, digits_server):
    publish_classifier(tmp_path)
    port = digits_server.url.rpartition(":")[2]
    log, line = refusal("--repository", tmp_path, *PORTS, "--port", port)
    assert log == []
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use): stop what listens there" in line


def test_an_address_of_another_machine(refusal, tmp_path, publish_classifier):
    publish_classifier(tmp_path)
    _, line = refusal("--repository", tmp_path, *PORTS, "--host", "192.0.2.1")
    assert "cannot listen on 192.0.2.1:0 (Cannot assign requested address)" in line


@pytest.mark.parametrize("option", [("--max-batch", 0), ("--max-batch", 4097), ("--max-queue-mib", 0)])
def test_a_bad_option_is_wrong_usage(keraport, option):
    assert keraport("serve", *option).returncode == 2


def test_the_ready_line_names_models_and_address(digits_server):
    first = digits_server.log.read_text().splitlines()[0]  # other tests' requests may have failed since
    http, metrics = (url.split("/")[2] for url in (digits_server.http_url, digits_server.metrics_url))
    where = f"HTTP on {http}, metrics on {metrics}, gRPC on {digits_server.url}"
    assert first == f"ready: digits version 1, {where}"
    host, port = digits_server.url.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10):
        pass


def test_unverified_versions_are_served_on_demand(tmp_path, publish_classifier, start_server):
    publish_classifier(tmp_path, verdict=Verdict.INCONCLUSIVE)
    server = start_server(tmp_path, "--allow-unverified")
    assert "ready: digits version 1," in server.log.read_text()
