import asyncio
import json
import re
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.errors import InvalidTensor, ObservationError, QueueFull, RequestError
from serving.inference import Inference, Outcome
from serving.operations.access import Access
from serving.operations.access_log import AccessLog
from serving.operations.watching import Watcher
from serving.statistics import BatchRun

CODES = {InvalidTensor: "INVALID_ARGUMENT", QueueFull: "RESOURCE_EXHAUSTED"}
RUN = BatchRun(rows=5, input_s=0.001, infer_s=0.004, output_s=0.0005)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PEER = "1.2.3.4:5"
HEADERS = (("authorization", "Bearer secret"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"))


def access(**changed: Any) -> Access:
    told = {"began_s": 1.5, "duration_s": 0.25, "protocol": "grpc", "method": "ModelInfer", "peer": "ipv4:1"}
    return Access(**{**told, "status": "OK", **changed})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def watch(path: Path, error: BaseException | None = None, **asked: str) -> dict[str, Any]:
    """Watch one request; the line that is written."""
    watcher = Watcher(lambda error: CODES[type(error)], AccessLog(str(path)), None)
    inference = Inference(feed={"image": np.zeros((2, 3), np.float32)}, **{"model": "digits", **asked})
    failing = nullcontext() if error is None else pytest.raises(type(error))
    with failing, watcher.watch("http", "ModelInfer", peer=lambda: PEER, headers=lambda: HEADERS) as watching:
        watching.asked(inference)
        if error is not None:
            raise error
        watching.answered(
            Outcome(model="digits", version="7", id="", outputs={}, rows=2, queue_s=0.002, run=RUN)
        )
    (line,) = lines(path)
    return line


def test_an_answered_request_is_a_line_with_all_that_is_known(tmp_path: Path) -> None:
    line = watch(tmp_path / "access.log", id="a-1")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("duration_ms") >= 0
    assert line == {
        "id": "a-1",
        "protocol": "http",
        "method": "ModelInfer",
        "model": "digits",
        "version": "7",
        "rows": 2,
        "status": "OK",
        "queue_ms": 2.0,
        "batch_rows": 5,
        "peer": PEER,
        "trace_id": TRACE,
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidTensor("no"), "INVALID_ARGUMENT"),
        (QueueFull("no"), "RESOURCE_EXHAUSTED"),
        (asyncio.CancelledError(), "CANCELLED"),
        (RuntimeError("secret"), "INTERNAL"),
    ],
)
def test_a_failed_request_has_the_code_of_its_error(
    tmp_path: Path, error: BaseException, status: str
) -> None:
    line = watch(tmp_path / "access.log", error, version="9")
    assert (line["status"], line["version"], line["rows"], line["batch_rows"]) == (status, "9", None, None)
    assert "secret" not in json.dumps(line)


def test_what_clients_write_cannot_forge_lines_nor_make_them_long(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    evil = '\n{"status": "OK"}\x1b[2J\u2028\udc80\U0001f600"\\' + "\U0001f600" * 10_000
    log = AccessLog(str(path))
    log.write(access(id=evil, model=evil, version=evil, peer=evil))
    log.close()
    content = path.read_bytes()
    assert len(content) <= 4096
    assert content.count(b"\n") == 1
    assert all(32 <= byte < 127 for byte in content[:-1])
    assert lines(path)[0]["id"].startswith('\n{"status"')


def test_a_sample_leaves_out_answered_requests_never_failed_ones(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    watcher = Watcher(lambda _: "NOT_FOUND", AccessLog(str(path), sample=0.0), None)
    for error in (None, RequestError("gone")):
        with suppress(RequestError), watcher.watch("grpc", "ModelInfer", peer=str, headers=tuple):
            if error is not None:
                raise error
    assert [line["status"] for line in lines(path)] == ["NOT_FOUND"]
    half = AccessLog(str(path), sample=0.5)
    assert 300 < sum(half.wants("OK") for _ in range(1000)) < 700


def test_a_file_that_is_moved_away_is_made_anew_within_a_second(tmp_path: Path) -> None:
    path, now = tmp_path / "access.log", [0.0]
    log = AccessLog(str(path), clock=lambda: now[0])
    log.write(access(id="1"))
    path.rename(tmp_path / "access.log.1")
    log.write(access(id="2"))  # not looked at yet
    now[0] += 1.1
    log.write(access(id="3"))
    path.unlink()
    now[0] += 1.1
    log.write(access(id="4"))
    assert [line["id"] for line in lines(tmp_path / "access.log.1")] == ["1", "2"]
    assert [line["id"] for line in lines(path)] == ["4"]


def test_requests_go_on_when_the_folder_is_gone(tmp_path: Path, caplog) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    now = [0.0]
    log = AccessLog(str(folder / "access.log"), clock=lambda: now[0])
    (folder / "access.log").unlink()
    folder.rmdir()
    for _ in range(5):
        now[0] += 2
        log.write(access())
    assert caplog.text.count("cannot be written") == 1
    folder.mkdir()
    now[0] += 2
    log.write(access(id="back"))
    assert [line["id"] for line in lines(folder / "access.log")] == ["back"]


def test_a_request_goes_on_when_it_cannot_be_told_of(tmp_path: Path, caplog) -> None:
    def gone() -> str:
        raise RuntimeError("the connection is gone")

    watcher = Watcher(lambda _: "NOT_FOUND", AccessLog(str(tmp_path / "access.log")), None)
    with watcher.watch("grpc", "ModelInfer", peer=gone, headers=tuple):
        pass
    watcher.close(0)
    with watcher.watch("grpc", "ModelInfer", peer=str, headers=tuple):
        pass
    assert "could not be told of" in caplog.text
    assert "cannot be written" in caplog.text
    assert not (tmp_path / "access.log").read_text()


def test_a_file_that_cannot_be_opened_is_one_error_that_says_the_mend(tmp_path: Path) -> None:
    with pytest.raises(ObservationError, match="choose another --access-log"):
        AccessLog(str(tmp_path / "missing" / "access.log"))


def test_stderr_is_a_dash(capfd) -> None:
    AccessLog("-").write(access(id="a"))
    assert json.loads(capfd.readouterr().err)["id"] == "a"


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    program = (
        "import sys\n"
        "from serving.operations.access import Access\n"
        "from serving.operations.access_log import AccessLog\n"
        "log = AccessLog(sys.argv[1])\n"
        "told = dict(began_s=0, duration_s=0, protocol='grpc', method='ModelInfer', peer='', status='OK')\n"
        "sys.stdin.read()\n"
        "for number in range(2000):\n"
        "    log.write(Access(**told, id=f'{sys.argv[2]}-{number}', model='m' * 64))"
    )
    command = [sys.executable, "-c", program, str(path)]
    workers = [subprocess.Popen([*command, str(worker)], stdin=subprocess.PIPE) for worker in range(2)]
    for worker in workers:
        worker.stdin.close()  # both begin now
    assert [worker.wait(60) for worker in workers] == [0, 0]
    ids = [line["id"] for line in lines(path)]
    assert sorted(ids) == sorted(f"{worker}-{number}" for worker in range(2) for number in range(2000))
