"""`keraport parity`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.options_cli import (
    REPOSITORY,
    RUNS,
    AsJson,
    Custom,
    Data,
    JUnitFile,
    ReportFile,
    TimeLimit,
    Trust,
    trusted,
)

if TYPE_CHECKING:
    from export.check import Target
    from export.custom import CustomCode
    from export.explanation import Explanation
    from export.formats import Format
    from export.handed import Handed
    from export.manifest import Manifest
    from export.reference import ReferenceModel
    from export.report import Report
    from export.served import ServedCheck
    from training.datasets import Dataset


def parity(
    context: typer.Context,
    target: Annotated[
        Path, typer.Argument(help="A published version, a folder of them (the newest), or an artifact.")
    ] = REPOSITORY,
    *,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="A run, .keras file, published version, ONNX file or SavedModel; by default its own run."
        ),
    ] = None,
    data: Data = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Check the server at this gRPC address, HOST:PORT; TARGET says what it should serve."
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0, help="Accuracy drop to exclude, in percentage points; by default the tier's."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Look into each ONNX and TFLite file, layer by layer.")
    ] = False,
    custom: Custom = None,
    trust: Trust = False,
    time_limit: TimeLimit = 1800,
    report: ReportFile = None,
    junit: JUnitFile = None,
    as_json: AsJson = False,
) -> None:
    """Check published artifacts against the trained model again, or a live server against what was published.

    Exit codes: 0 pass, 1 parity fails, 2 wrong usage or input, 3 the data cannot decide.
    """
    import msgspec

    from export.check import find_target
    from export.console import make_console, print_served
    from export.console_table import print_table
    from export.explain_table import print_explanation
    from export.report_files import check_destinations, write_copies
    from export.served import find_standard, require_version

    check_destinations(report, junit)
    found = find_target(target)
    code = trusted(custom, trust)
    if url is not None:
        manifest = require_version(found, target)
        standard = find_standard(found, reference=reference, data=data, runs=RUNS, custom=code)
        served = _server_parity(context.obj, url, manifest, standard, margin, time_limit)
        if as_json:
            typer.echo(msgspec.json.encode(served))
        else:
            print_served(make_console(sys.stdout), served)
        raise typer.Exit(served.verdict.exit_code)
    model, dataset = _reference(found, target, reference, data, code)
    result, explanations = _check(found, target, model, dataset, margin, time_limit, explain=explain)
    write_copies(result, dataset.test.inputs, page=report, junit=junit)
    if as_json:
        typer.echo(msgspec.json.encode(_facts(result, explanations)))
    else:
        console = make_console(sys.stdout)
        print_table(console, result.artifacts)
        for kind, explanation in explanations.items():
            print_explanation(console, kind, explanation)
        typer.echo(f"parity: {result.verdict}")
    raise typer.Exit(result.verdict.exit_code)


def _check(
    found: "Target",
    target: Path,
    model: "ReferenceModel",
    dataset: "Dataset",
    margin: float | None,
    time_limit: float,
    *,
    explain: bool,
) -> "tuple[Report, dict[Format, Explanation | str]]":
    from export.check import checking
    from export.check_report import check_report
    from export.console import ConsoleListener, make_console
    from export.formats import FORMATS, Family

    explanations: dict[Format, Explanation | str] = {}
    with ConsoleListener(make_console(sys.stderr)) as listener:
        samples = f"{len(dataset.test):,} samples"
        with checking(model, dataset, time_limit_s=time_limit, listener=listener) as check:
            verdicts = []
            for kind, path, settings in found.files:
                with listener.during(f"running {kind} on {samples}"):
                    verdicts.append(check.artifact(kind, path, settings, margin))
                listener.done(verdicts[-1])
            with listener.during("timing"):
                artifacts = check.time(found, verdicts)
            for (kind, path, settings), artifact in zip(found.files, artifacts, strict=True):
                if explain and FORMATS[kind].family is not Family.SAVED_MODEL:
                    with listener.during(f"looking into {kind}"):
                        explanations[kind] = check.explain(kind, path, settings, artifact)
            known = {kind: each for kind, each in explanations.items() if not isinstance(each, str)}
            return check_report(found, target, model, dataset, check, artifacts, known), explanations


def _facts(result: "Report", explanations: "dict[Format, Explanation | str]") -> dict[str, object]:
    facts: dict[str, object] = {"verdict": result.verdict, "artifacts": result.artifacts}
    return facts | ({"explanations": explanations} if explanations else {})


def _server_parity(
    handed: "Handed",
    url: str,
    manifest: "Manifest",
    standard: "tuple[ReferenceModel, Dataset]",
    margin: float | None,
    time_limit: float,
) -> "ServedCheck":
    from export.check import checking
    from export.console import ConsoleListener, make_console
    from export.served import check_server

    model, dataset = standard
    with (
        handed.connect(url, model=manifest.model, version=str(manifest.version)) as runner,
        ConsoleListener(make_console(sys.stderr)) as listener,
        checking(model, dataset, time_limit_s=time_limit, listener=listener) as check,
        listener.during(f"asking {url} for {len(dataset.test):,} samples"),
    ):
        return check_server(runner, check.reference, url=url, manifest=manifest, margin_points=margin)


def _reference(
    found: "Target", target: Path, reference: Path | None, data: str | None, custom: "CustomCode | None"
) -> "tuple[ReferenceModel, Dataset]":
    from export.check import find_own_run, find_reference
    from export.errors import SourceError
    from training.datasets import load_dataset

    model, own = find_reference(reference or find_own_run(found, target, RUNS), custom)
    if data is None and own is None:
        raise SourceError(f"{reference} says nothing of its data: add --data, so that parity can be checked")
    dataset = load_dataset(data) if data else own
    assert dataset is not None  # noqa: S101  (one of the two is there)
    return model, dataset
