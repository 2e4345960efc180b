"""A worker that is killed under load takes with it what it had in flight, and is replaced."""

import asyncio
import contextlib
import itertools
import os
import signal
import time
from pathlib import Path

import pytest
from grpc import StatusCode

WORKERS = 2
CONNECTIONS = 8
ASKERS = 4 * CONNECTIONS
# The crew replaces a worker at once unless those before it were short-lived, too.
LONG_LIFE_S = 11

ESTABLISHED, LISTENING = "01", "0A"


@pytest.fixture
def sockets_of():
    """How many sockets in a state a process has on a port."""

    def sockets_of(pid, port, state) -> int:
        inodes = {
            fields[9]
            for table in ("tcp", "tcp6")
            for line in (Path("/proc/net") / table).read_text().splitlines()[1:]
            if (fields := line.split())[3] == state and fields[1].endswith(f":{port:04X}")
        }
        held = 0
        with contextlib.suppress(OSError):  # it has ended, or closed one meanwhile
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                held += str(descriptor.readlink())[len("socket:[") : -1] in inodes
        return held

    return sockets_of


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
async def test_a_killed_worker_costs_what_it_had_in_flight(
    tmp_path, publish_classifier, start_server, crowd_of, family_of, sockets_of, report, kills
):
    # So long a run, about 30 ms, that the victim is busy when the signal comes.
    publish_classifier(tmp_path, idle_turns=40_000)
    server = start_server(tmp_path, "--workers", WORKERS, "--max-batch", 4)
    port = int(server.url.rpartition(":")[2])

    def workers():
        return {pid for pid in family_of(server)[1:] if sockets_of(pid, port, LISTENING)}

    recoveries, lost, answered = [], 0, 0
    for kill in range(kills):
        over = asyncio.Event()
        async with crowd_of(server, connections=CONNECTIONS) as crowd:
            askers = [asyncio.create_task(asked_until(over, crowd, asker)) for asker in range(ASKERS)]
            await asyncio.sleep(LONG_LIFE_S if kill else 0.3)
            before = workers()
            assert len(before) == WORKERS
            held = {pid: sockets_of(pid, port, ESTABLISHED) for pid in before}
            assert sum(held.values()) == CONNECTIONS
            victim = max(held, key=held.get)
            await asyncio.sleep(0.1)  # looking around has kept the askers from asking
            os.kill(victim, signal.SIGKILL)
            killed = time.monotonic()
            while len(now := workers()) < WORKERS or victim in now:
                assert time.monotonic() < killed + 60, server.log.read_text()
                await asyncio.sleep(0.02)
            # Many connections, so that some are the new worker's.
            async with crowd_of(server, connections=2 * CONNECTIONS) as others:
                numbers = range(1_000_000 * (kill + 1), 1_000_000 * (kill + 1) + 64)
                replies = await asyncio.gather(*map(others.ask, numbers))
                assert [reply for reply in replies if not reply.answered] == []
                recoveries.append(time.monotonic() - killed)
                assert all(sockets_of(pid, port, ESTABLISHED) for pid in workers())
            over.set()
            asked = await asyncio.gather(*askers)
        # Who failed does so again only until its new connection stands: the killed process may still take
        # connections while it ends, and gRPC waits a second before it tries another.
        streaks = [
            [answered for answered, _ in itertools.groupby(each.answered for each in replies)]
            for replies in asked
        ]
        assert all(streak.count(False) <= 1 for streak in streaks)
        assert all(streak[-1] for streak in streaks)
        failures = [reply for replies in asked for reply in replies if not reply.answered]
        assert {reply.code for reply in failures} <= {StatusCode.UNAVAILABLE}
        assert 1 <= sum(False in streak for streak in streaks) <= held[victim] * ASKERS // CONNECTIONS
        lost += len(failures)
        answered += sum(map(len, asked)) - len(failures)
    assert server.log.read_text().count(": it is replaced") == kills
    report(kills=kills, answered=answered, lost=lost, recovery_s=max(recoveries))


@pytest.mark.slow
async def test_workers_end_with_their_supervisor(
    tmp_path, publish_classifier, start_server, crowd_of, family_of
):
    publish_classifier(tmp_path)
    server = start_server(tmp_path, "--workers", WORKERS)
    workers = family_of(server)[1:]
    async with crowd_of(server) as crowd:
        assert (await crowd.ask(1)).answered
        server.process.kill()
        for _ in range(600):
            if not any(map(runs, workers)):
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("workers live on without their supervisor")


def runs(pid):
    return Path(f"/proc/{pid}").exists()


async def asked_until(over, crowd, asker):
    """Ask without a pause, on one connection."""
    replies = []
    for number in itertools.count(asker, ASKERS):
        if over.is_set():
            break
        replies.append(await crowd.ask(number, 1 + number % 4))
    return replies
