"""A process raises its own limit of open files as far as it may."""

import resource
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from serving.open_files import allow_open_files
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(allow_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard", "after"), [(100, 900, 900), (900, 900, 900)])
def test_the_limit_that_a_shell_left_is_raised_to_the_hard_one(soft, hard, after):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(soft), str(hard)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [str(after), str(after), str(hard)]


def test_it_is_not_raised_without_end():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= 65_536:
        pytest.skip("this machine does not allow so many")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, "100", str(hard)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["65536", "65536", str(hard)]
