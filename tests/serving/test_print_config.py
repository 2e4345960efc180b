"""`keraport serve --print-config`: what holds, and where it comes from; every wrong value is one line."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from serving.options_cli import OPTIONS, ServeOptions, settings_of
from serving.settings import ServerSettings


@pytest.fixture
def printed(keraport):
    """What is printed, as TOML; nothing else is told."""

    def printed(*arguments):
        result = keraport("serve", *arguments, "--print-config")
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    return printed


ROOT = Path(__file__).resolve().parents[2]

# Many command lines in one process: to start it takes far longer than to refuse one.
IN_TURN = """
import contextlib, io, json, os, sys
import keraport

def run(arguments, variables):
    sys.argv[1:] = arguments
    out, error = io.StringIO(), io.StringIO()
    os.environ.update(variables)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            keraport.main()
    except SystemExit as end:
        return end.code, out.getvalue(), error.getvalue()
    finally:
        for name in variables:
            del os.environ[name]

json.dump([run(*case) for case in json.load(sys.stdin)], sys.stdout)
"""


@pytest.fixture
def refused():
    """The one line of each refusal, of command lines with their variables."""

    def refused(cases):
        cases = [(["serve", *map(str, arguments), "--print-config"], more) for arguments, more in cases]
        result = subprocess.run(
            [sys.executable, "-c", IN_TURN],
            input=json.dumps(cases),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        answers = json.loads(result.stdout)
        assert [answer[:2] for answer in answers] == [[2, ""]] * len(cases)
        lines = [answer[2].splitlines() for answer in answers]
        assert all(len(each) == 1 for each in lines)
        return [line for (line,) in lines]

    return refused


def sources(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.partition(" = ")[0]: line.rpartition("  # ")[2] for line in lines}


def test_flags_go_before_variables_before_the_file_before_defaults(printed, monkeypatch, tmp_path):
    file = tmp_path / "keraport.toml"
    file.write_text("port = 1\nhttp_port = 2\nmetrics_port = 3\nsessions = 2\nallow_unverified = true\n")
    monkeypatch.setenv("KERAPORT_HTTP_PORT", "4")
    monkeypatch.setenv("KERAPORT_PORT", "5")
    monkeypatch.setenv("KERAPORT_SESSIONS", "")  # as if it were not set
    text = printed("--config", file, "--port", 6, "--no-allow-unverified")
    values, origins = tomllib.loads(text), sources(text)
    for key, expected in {
        "port": (6, "flag"),
        "http_port": (4, "KERAPORT_HTTP_PORT"),
        "metrics_port": (3, "file"),
        "sessions": (2, "file"),
        "allow_unverified": (False, "flag"),
        "host": ("127.0.0.1", "default"),
    }.items():
        assert (values[key], origins[key]) == expected


def test_what_is_printed_is_taken_back(printed, keraport, tmp_path):
    arguments = [
        *("--repository", 'a "quoted"\\ \u00e4 \x7f\n folder', "--model", "digits", "--http-port", "off"),
        *("--versions", "1,3", "--padding-buckets", "8,64", "--access-log", "-", "--access-sample", 1e-7),
        *("--tls-certificate", "c.pem", "--tls-key", "k.pem", "--tokens", "t", "--intra-op-threads", 2),
        *("--traces", "http://localhost:4318/v1/traces", "--repository-control", "--batch-rows", 16),
        *("--sessions", 3),
    ]
    text = printed(*arguments)
    file = tmp_path / "printed.toml"
    file.write_text(text)
    values = tomllib.loads(text)
    assert set(OPTIONS) - set(values) == {"tls_client_ca"}
    assert values["repository"] == 'a "quoted"\\ \u00e4 \x7f\n folder'
    assert values["http_port"] == "off"
    assert values["versions"] == [1, 3]
    assert tomllib.loads(printed("--config", file)) == values
    result = keraport("serve", "--config", file, "--print-config", "--json")
    answer = json.loads(result.stdout)
    assert {key: each["value"] for key, each in answer.items()} == {**values, "tls_client_ca": None}
    assert {each["source"] for each in answer.values()} == {"file", "default"}


def test_the_file_is_named_by_a_variable_too(printed, monkeypatch, tmp_path):
    (tmp_path / "keraport.toml").write_text("versions = { latest = 2 }\n")
    monkeypatch.setenv("KERAPORT_CONFIG", str(tmp_path / "keraport.toml"))
    text = printed()
    assert (tomllib.loads(text)["versions"], sources(text)["versions"]) == ({"latest": 2}, "file")


def test_the_defaults_are_those_of_the_settings():
    options = ServeOptions(workers=1)
    assert settings_of(options) == ServerSettings(repository=options.repository)


BAD_FILES = [
    ("prot = 1", "'prot' is not known: did you mean port? the keys are repository, model,"),
    ("port = '8001'", "port is '8001': expected a whole number"),
    ("port = true", "port is true: expected a whole number"),
    ("port = 65536", "port is 65536: Input should be less than or equal to 65535"),
    ("http_port = 'on'", "http_port is 'on': expected a port from 0 to 65,535, or off"),
    ("http_port = false", "http_port is false: expected a port"),
    ("allow_unverified = 1", "allow_unverified is 1: expected true or false"),
    ("model = 3", "model is 3: expected a text"),
    ("tokens = ['a']", "tokens is ['a']: expected a path, as a text"),
    ("max_delay_ms = nan", "max_delay_ms is nan: Input should be"),
    ("padding_buckets = [1.5]", "padding_buckets is [1.5]: expected numbers of rows"),
    ("versions = { latest = 1, all = 2 }", "expected all, latest, latest:2 or 1,3"),
    ("port = 1\nport = 2", "it is not TOML: Cannot overwrite a value"),
    ("a = " + "[" * 5000, "it is not TOML"),
    ("a = '" + "x" * 65536 + "'", "it is larger than 64 KiB"),
    (b"a = '\xff'", "it is not UTF-8 (byte 5)"),
]

BAD_VARIABLES = [
    ("KERAPORT_PORT", "x", "KERAPORT_PORT is 'x': Input should be a valid integer"),
    ("KERAPORT_PORT", "tcp://10.0.0.1:1", "(Kubernetes sets it for a Service called keraport: turn off"),
    ("KERAPORT_ALLOW_UNVERIFIED", "maybe", "KERAPORT_ALLOW_UNVERIFIED is 'maybe': "),
    ("KERAPORT_METRICS_PORT", "-1", "KERAPORT_METRICS_PORT is '-1': expected a port"),
    ("KERAPORT_PADDING_BUCKETS", "8;9", "KERAPORT_PADDING_BUCKETS is '8;9': expected numbers of rows"),
    ("KERAPORT_VERSIONS", "0", "KERAPORT_VERSIONS is '0': expected all, latest"),
]

BAD_OPTIONS = [
    (["--http-port", "x"], "'--http-port': expected a port from 0 to 65,535, or off"),
    (["--workers", 65], "'--workers': Input should be less than or equal to 64"),
    (["--metrics-port", 8001], "port, http_port and metrics_port must differ"),
    (["--padding-buckets", "8,128"], "padding_buckets must be 1 to max_batch_rows, 64, not (8, 128)"),
    (["--batch-rows", 65], "batch_rows must be 1 to max_batch_rows, 64, not 65"),
    (["--padding-buckets", "8,8"], "padding_buckets must be at most 64 numbers that grow"),
    (["--default-priority", 1], "default_priority must be 0 to priority_levels, 0, not 1"),
    (["--tls-key", "k.pem"], "tls_certificate and tls_key go together"),
    (["--host", ""], "host must be an address or a name"),
    (["--traces", "localhost:4318"], "traces must be a URL such as http://localhost:4318"),
    (["--traces", "http://me:secret@there/"], "give one in OTEL_EXPORTER_OTLP_HEADERS"),
]


def test_a_bad_file_is_named(refused, tmp_path):
    files = [tmp_path / f"{number}.toml" for number in range(len(BAD_FILES))]
    for file, (content, _) in zip(files, BAD_FILES, strict=True):
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    lines = refused([(["--config", file], {}) for file in files])
    for line, file, (_, told) in zip(lines, files, BAD_FILES, strict=True):
        assert line.startswith(f"error: {file}: ")
        assert told in line


def test_a_file_that_is_none(refused, tmp_path):
    missing, device = refused([(["--config", path], {}) for path in (tmp_path / "none.toml", "/dev/null")])
    assert "No such file or directory" in missing
    assert "it is no regular file" in device


def test_a_bad_variable_is_named(refused):
    lines = refused([(["--port", 1], {variable: value}) for variable, value, _ in BAD_VARIABLES])
    for line, (_, _, told) in zip(lines, BAD_VARIABLES, strict=True):
        assert told in line


def test_a_bad_option_is_one_line(refused):
    lines = refused([(arguments, {}) for arguments, _ in BAD_OPTIONS])
    for line, (_, told) in zip(lines, BAD_OPTIONS, strict=True):
        assert told in line
        assert "secret" not in line


def test_json_goes_with_print_config(keraport):
    result = keraport("serve", "--json")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--json goes with --print-config" in result.stderr


def test_a_misspelt_variable_is_warned_of(keraport, monkeypatch):
    for name in ("KERAPORT_PROT", "KERAPORT_SERVICE_PORT", "KERAPORT_PORT_8001_TCP_PORT", "KERAPORT_XYZ"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("KERAPORT_TOKEN", "a-clients-token")
    result = keraport("serve", "--print-config")
    assert result.returncode == 0
    assert result.stderr == "WARNING: KERAPORT_PROT is not known: did you mean KERAPORT_PORT?\n"


@pytest.mark.parametrize("arguments", [(), ("--http-port", "8000")])
def test_rest_needs_its_extra(arguments):
    code = "import sys\nsys.modules['starlette'] = None  # as if it were not installed\n"
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}import keraport\nkeraport.main()",
            "serve",
            "--print-config",
            *arguments,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if arguments:
        assert (result.returncode, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert "http_port 8000 needs starlette: pip install 'keraport[http]', or set it to off" in line
    else:
        assert (result.returncode, result.stderr) == (0, "")
        assert 'http_port = "off"  # default' in result.stdout.splitlines()


def test_a_name_that_is_not_unicode_is_printed_by_nobody(keraport):
    result = keraport("serve", "--print-config", "--repository", os.fsdecode(b"\xff"))
    assert (result.returncode, result.stdout) == (2, "")
    assert r"'\udcff' cannot be written as UTF-8" in result.stderr
