"""What `keraport train` shows on a terminal while it trains."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def terminal():
    """Both ends of a terminal, the user's and the program's."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def training(terminal, tmp_path):
    """A run of 900 epochs of one step each, on that terminal."""
    images = np.random.default_rng(0).integers(0, 256, (60, 12, 12)).astype(np.uint8)
    y = np.arange(60) % 2
    np.savez(tmp_path / "data.npz", x_train=images, y_train=y, x_test=images, y_test=y)
    process = subprocess.Popen(
        [sys.executable, "-m", "keraport", "train", "--data", tmp_path / "data.npz", "--epochs", "900"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "120"},
        stdout=terminal[1],
        stderr=terminal[1],
    )
    yield process
    process.kill()
    process.wait()


@pytest.mark.usefixtures("training")
def test_a_terminal_shows_epoch_steps_and_the_time_left(terminal):
    # Description, bar, steps done of all, hours:minutes:seconds.
    progress = re.compile(rb"epoch \d+/900 \S+ *(\d+)/900 (\d+):(\d\d):(\d\d)")
    seen, deadline = b"", time.monotonic() + 120
    while not (match := progress.search(seen)) and time.monotonic() < deadline:
        if select.select([terminal[0]], [], [], 1)[0]:
            seen += os.read(terminal[0], 4096)
    assert match, seen[-2000:].decode()
    done, hours, minutes, seconds = map(int, match.groups())
    assert 1 <= done < 900
    assert 0 < 3600 * hours + 60 * minutes + seconds < 3600
