"""What of this machine's set-up works, what does not, and the mend."""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from export.doctor.finding import Finding, State
from export.doctor.machine import examine_machine
from export.doctor.packages import examine_packages, installed_extras
from export.doctor.stages import Walk

Telling = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What all checks found.

    Attributes:
        healthy: whether nothing that is installed is broken.
        findings: in the order of the checks.
    """

    healthy: bool
    findings: tuple[Finding, ...]


def examine(*, quick: bool, time_limit_s: float, telling: Telling) -> Diagnosis:
    """Look at the packages and the machine, and take a small model through every stage.

    Args:
        quick: leave the model out.
        time_limit_s: for one stage.
        telling: entered around each step that takes a while, with what it is.
    """
    with telling("importing what is installed"):
        packages = examine_packages()
    extras = installed_extras()
    findings = [*examine_machine(extras), *packages]
    if not quick:
        with tempfile.TemporaryDirectory(prefix="keraport-") as folder:
            walk = Walk(folder=Path(folder), extras=extras, time_limit_s=time_limit_s, telling=telling)
            findings += walk.run()
    healthy = all(finding.state is not State.BROKEN for finding in findings)
    return Diagnosis(healthy=healthy, findings=tuple(findings))
