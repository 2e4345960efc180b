"""How the server's processes log: a line each on stderr, its level before it."""

import logging
import sys


def log_to_stderr() -> None:
    """Begin to log: warnings of all, and what the server has to tell; a second call changes nothing."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)
