"""Cores by affinity and control group, in trees made up for the test."""

import os

import pytest

from serving.workers.cores import (
    default_sessions,
    default_workers,
    oversubscription,
    quota_cores,
    usable_cores,
)


@pytest.fixture
def machine(tmp_path):
    """A root folder with the files given."""

    def machine(**files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return machine


V2 = {"proc/self/cgroup": "0::/pod/app\n"}
V1 = {"proc/self/cgroup": "12:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n1:cpuset:/\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/self/cgroup": "nonsense"}, None),
        ({**V2, "sys/fs/cgroup/pod/app/cpu.max": "max 100000\n"}, None),
        ({**V2, "sys/fs/cgroup/pod/app/cpu.max": "150000 100000\n"}, 2),
        ({**V2, "sys/fs/cgroup/pod/app/cpu.max": "5000 100000\n"}, 1),
        ({**V2, "sys/fs/cgroup/pod/app/cpu.max": "0 0\n"}, None),
        # The group above holds all of its own to its limit; in a container it is the only one to be seen.
        ({**V2, "sys/fs/cgroup/pod/app/cpu.max": "max 1\n", "sys/fs/cgroup/pod/cpu.max": "300 100"}, 3),
        ({**V2, "sys/fs/cgroup/pod/app/cpu.max": "200 100", "sys/fs/cgroup/pod/cpu.max": "300 100"}, 2),
        ({**V2, "sys/fs/cgroup/cpu.max": "400000 100000\n"}, 4),
        ({"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/cpu.max": "100 100"}, 1),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_quotas(machine, files, expected):
    root = machine(**files)
    assert quota_cores(root) == expected
    affinity = len(os.sched_getaffinity(0))
    assert usable_cores(root) == min(affinity, expected or affinity)


def test_default_workers():
    assert [default_workers(cores) for cores in (1, 4, 64)] == [1, 4, 4]


@pytest.mark.parametrize(
    ("cores", "workers", "sessions"),
    [(1, 1, 1), (2, 1, 2), (2, 2, 2), (4, 4, 2), (8, 4, 4), (2, 8, 1), (64, 1, 8)],
)
def test_default_sessions(cores, workers, sessions):
    assert default_sessions(cores, workers) == sessions


def test_more_threads_than_cores_are_told_of():
    assert oversubscription(workers=2, sessions=2, intra_op_threads=1, cores=4) is None
    told = oversubscription(workers=2, sessions=2, intra_op_threads=2, cores=4)
    assert told is not None
    assert "2 workers x 2 sessions x 2 intra-op threads are 8 on 4 usable cores" in told
