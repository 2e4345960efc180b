"""How the server's processes log: a line each on stderr, its level before it."""

import logging
import sys


def log_to_stderr() -> None:
    """Begin to log: warnings of all, and what the server has to tell; a second call changes nothing."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)
    # It tells with a traceback of every header that is not text, be it a stranger's.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
