"""What the report and the command line say in words."""

from collections import Counter

from export.reporting.report import Occasion, Report
from export.verdict import Verdict

TITLES = {
    Verdict.PASS: "Parity holds",
    Verdict.FAIL: "Parity fails",
    Verdict.REFUSED: "Parity fails",
    Verdict.INCONCLUSIVE: "The data cannot decide",
}
PHRASES = {
    Verdict.FAIL: ("fails", "fail"),
    Verdict.INCONCLUSIVE: ("is inconclusive", "are inconclusive"),
    Verdict.REFUSED: ("could not be converted", "could not be converted"),
}


def title(report: Report) -> str:
    """The model and its version."""
    return f"{report.model} version {report.version}" if report.version else report.model


def published(report: Report) -> bool:
    """Whether this is the report of a version that its export published."""
    return report.occasion is Occasion.EXPORT and report.version is not None


def conclusion(report: Report) -> str:
    """The verdict on the whole, in a few words."""
    if report.verdict is Verdict.PASS and any(each.verdict is not Verdict.PASS for each in report.artifacts):
        return f"{TITLES[Verdict.PASS]} for what is shipped"
    return TITLES[report.verdict]


def summary(report: Report) -> str:
    """How many artifacts came to which verdict, as a sentence."""
    counts = Counter(artifact.verdict for artifact in report.artifacts)
    total = len(report.artifacts)
    if not total:
        return "There are no artifacts."
    passed = counts[Verdict.PASS]
    if passed == total:
        return "The only artifact passes." if total == 1 else f"All {total} artifacts pass."
    parts = [f"{passed or 'none'} of {total} artifact{'s' if total > 1 else ''} {_passes(passed)}"]
    for verdict, (one, many) in PHRASES.items():
        names = [artifact.format.value for artifact in report.artifacts if artifact.verdict is verdict]
        if names:
            parts.append(f"{_listed(names)} {one if len(names) == 1 else many}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def consequence(report: Report) -> str:
    """What follows from that for the release."""
    if report.occasion is Occasion.PARITY:
        return "A check of what was there: nothing was published or changed."
    if report.version is None:
        shipped = {artifact.format for artifact in report.artifacts if artifact.path is not None}
        missing = [kind.value for kind in report.required if kind not in shipped]
        return f"Nothing was published: {_listed(missing)} {_are(missing)} required and did not pass."
    parts = [f"Published as version {report.version}."]
    verdicts = {artifact.verdict for artifact in report.artifacts}
    if Verdict.INCONCLUSIVE in verdicts:
        parts.append("What is inconclusive is published, but not served.")
    if verdicts & {Verdict.FAIL, Verdict.REFUSED}:
        parts.append("What failed or could not be converted is not shipped.")
    return " ".join(parts)


def _passes(count: int) -> str:
    return "passes" if count == 1 else "pass"


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
