"""How many files, and so connections, a process may have open."""

import resource

# Of them, for the connections of gRPC and again for those of HTTP; models, logs and pipes need some, too.
CONNECTIONS_SHARE = 0.4

# Beyond it the operating system's tables grow for nothing.
ENOUGH = 65_536


def connections_of(files: int) -> int:
    """How many connections each of gRPC and HTTP may hold of a process that may open so many files."""
    return int(files * CONNECTIONS_SHARE)


def allow_open_files() -> int:
    """Raise this process's own limit as far as it may, within reason.

    Shells and service managers often leave it at 1,024 for the sake of old programs.

    Returns:
        The limit that now holds.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = ENOUGH if hard == unlimited else min(hard, ENOUGH)
    if soft == unlimited or soft >= wanted:
        return ENOUGH if soft == unlimited else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted
