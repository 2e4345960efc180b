"""What can go wrong between a checkpoint and a published version.

ExportError
├── SourceError      the run, checkpoint or artifact to start from is missing or unreadable
├── ConversionError  a converter cannot express this model in its format
├── WorkerError      a step's own process crashed or ran out of memory
│   └── TimeLimitError   or gave no result in time
├── ManifestError    a published version is not what its manifest says
├── PublishError     the repository cannot take a new version
├── ReportError      a report cannot be written where it is wanted
└── KitError         an edge kit cannot be made of this model, or not in this folder

Every message is one line that says what is wrong and what to do.
"""

import re

RAISED = re.compile(r"\w*(Error|Exception): ")  # the last line of a traceback


class ExportError(Exception):
    """Base of the export stage's errors."""


class SourceError(ExportError):
    """The run, checkpoint or artifact to start from is missing or unreadable."""


class ConversionError(ExportError):
    """A converter cannot express this model in its format."""


class WorkerError(ExportError):
    """A step's own process crashed, hung or ran out of memory.

    Attributes:
        log: the last lines that it printed.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class TimeLimitError(WorkerError):
    """A step's own process gave no result in time."""


class ManifestError(ExportError):
    """A published version is not what its manifest says."""


class PublishError(ExportError):
    """The repository cannot take a new version."""


class ReportError(ExportError):
    """A report cannot be written where it is wanted."""


class KitError(ExportError):
    """An edge kit cannot be made of this model, or not in this folder."""


def first_line(error: BaseException) -> str:
    """What another library's error says, cut to one line; its class where it says nothing.

    Keras puts a line in front of what happened within a layer, TensorFlow a whole traceback.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if lines[0].startswith("in user code"):
        return next((line for line in lines[1:] if RAISED.match(line)), lines[-1])[:300]
    if lines[0].startswith("Exception encountered when calling") and len(lines) > 1:
        return f"{lines[0].removeprefix('Exception encountered when calling ').rstrip('.')}: {lines[1]}"[:300]
    return lines[0][:300]
