"""What a server's settings say of the access log and traces, checked in one process and made in others."""

import importlib.metadata
from collections.abc import Callable

from serving.errors import RequestError
from serving.operations.access_log import AccessLog
from serving.operations.watching import Watcher
from serving.settings import LogSettings


def check_observing(settings: LogSettings) -> None:
    """Make sure that workers will be able to log and trace, without loading what traces.

    Raises:
        ObservationError: they would not.
    """
    if settings.access_log is not None:
        AccessLog(settings.access_log).close()
    if settings.traces is not None:
        from serving.operations.tracing import check_tracing

        check_tracing(settings.traces)


def watcher_of(settings: LogSettings, code_of: Callable[[RequestError], str]) -> Watcher:
    """What watches a worker's requests.

    Args:
        settings: of what is told of requests.
        code_of: the name of an error's status code.

    Raises:
        ObservationError: they cannot be logged or traced so.
    """
    access_log = tracing = None
    if settings.access_log is not None:
        access_log = AccessLog(settings.access_log, settings.access_sample)
    if settings.traces is not None:
        from serving.operations.tracing import Tracing

        tracing = Tracing(settings.traces, importlib.metadata.version("keraport"))
    return Watcher(code_of, access_log, tracing)
