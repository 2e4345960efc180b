"""Worker processes: replaced when they are gone, and then all answer alike."""

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

from clients import AsyncClient, Client, ModelNotFound

ONE = {"image": np.zeros((1, 28, 28, 1), np.uint8)}


def workers_of(process):
    """The worker processes' ids, oldest first."""
    return [
        int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]


async def until(condition, within_s=30):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def answered(url, times=20):
    """How often new connections, which the workers share, find each version of the model."""
    versions = []
    for _ in range(times):
        async with AsyncClient(url) as client:
            try:
                versions.append((await client.infer("digits", ONE)).version)
            except ModelNotFound:
                versions.append("none")
    return set(versions)


async def replaced(server, gone):
    """Once another process has taken a killed one's place and answers."""
    await until(lambda: len(workers_of(server.process)) == 2 and gone not in workers_of(server.process))
    await until(lambda: b"keraport_workers 2" in metrics(server))


def metrics(server):
    with urlopen(server.metrics_url, timeout=10) as page:  # noqa: S310  (our own server's)
        return page.read()


async def test_a_replacement_serves_what_it_can_and_then_all_do(tmp_path, publish_classifier, start_server):
    publish_classifier(tmp_path, "digits", 1)
    newest = publish_classifier(tmp_path, "digits", 2)
    publish_classifier(tmp_path, "letters", 1)
    server = start_server(tmp_path, "--workers", 2)
    shutil.rmtree(newest)
    shutil.rmtree(tmp_path / "letters")
    assert await answered(server.url) == {"2"}  # what is loaded goes on
    gone = workers_of(server.process)[0]
    os.kill(gone, signal.SIGKILL)
    await replaced(server, gone)
    assert await answered(server.url) == {"1"}
    with Client(server.url) as client:
        index = {(entry.name, entry.version): entry.state for entry in client.models()}
    assert index["digits", "1"] == "READY"
    assert index.get(("letters", "1"), "UNAVAILABLE") == "UNAVAILABLE"


async def test_files_that_were_overwritten_are_loaded_by_all_or_none(
    tmp_path, publish_classifier, start_server
):
    folder = publish_classifier(tmp_path, "digits", 1)
    server = start_server(tmp_path, "--workers", 2)
    (folder / "model.onnx").write_bytes(b"another model")
    gone = workers_of(server.process)[1]
    os.kill(gone, signal.SIGKILL)
    await replaced(server, gone)
    assert await answered(server.url) == {"none"}


async def test_a_worker_that_dies_before_all_are_ready_is_made_up_for(
    tmp_path, publish_classifier, start_server
):
    publish_classifier(tmp_path, "digits", 1, idle_turns=200_000)  # takes a while to warm up
    began = []
    starting = asyncio.to_thread(start_server, tmp_path, "--workers", 2, began=began.append)
    server = asyncio.create_task(starting)
    await until(lambda: began and len(workers_of(began[0])) == 2)
    gone = workers_of(began[0])[0]
    os.kill(gone, signal.SIGKILL)
    await replaced(await server, gone)


@pytest.mark.slow
async def test_a_worker_that_hangs_is_replaced_and_holds_nobody_up(
    tmp_path, publish_classifier, start_server
):
    publish_classifier(tmp_path, "digits", 1)
    server = start_server(tmp_path, "--workers", 2, "--repository-control")
    gone = workers_of(server.process)[0]
    os.kill(gone, signal.SIGSTOP)
    publish_classifier(tmp_path, "digits", 2)
    await until(lambda: gone not in workers_of(server.process), within_s=60)
    await replaced(server, gone)
    async with AsyncClient(server.url) as client:
        await client.load("digits")
    assert await answered(server.url) == {"2"}


async def test_without_a_supervisor_workers_end(tmp_path, publish_classifier, start_server):
    publish_classifier(tmp_path, "digits", 1)
    server = start_server(tmp_path, "--workers", 2)
    workers = workers_of(server.process)
    server.process.kill()
    await until(lambda: not any(alive(each) for each in workers))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
