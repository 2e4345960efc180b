"""`keraport export` and `keraport parity`."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from export.check import Target
    from export.custom import CustomCode
    from export.reference import ReferenceModel
    from export.report import Report
    from export.runner import Runner
    from export.served import ServedCheck
    from training.datasets import Dataset

RUNS = Path("runs")
REPOSITORY = Path("models")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Custom = Annotated[
    Path | None, typer.Option(help="A Python file with layers of your own; it is run: needs --trust.")
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the file that --custom names.")]
TimeLimit = Annotated[float, typer.Option(min=1, help="Seconds that one step may take.")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write the HTML report to this file, whatever the verdict.")
]
JUnitFile = Annotated[Path | None, typer.Option(help="Write the verdicts as JUnit XML to this file.")]
Data = Annotated[str | None, typer.Option(help="mnist, an .npz file or a folder; by default the run's own.")]


def export(
    source: Annotated[
        Path, typer.Argument(help="A run, a .keras file, or a folder of runs: its newest complete one.")
    ] = RUNS,
    *,
    model: Annotated[
        str | None, typer.Option(help="The model's name; by default the data's or file's.")
    ] = None,
    data: Data = None,
    calibration: Annotated[
        str | None, typer.Option(help="Data whose training samples calibrate; by default those of --data.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated, each of them then required, or `all`; by default the usual ones."
        ),
    ] = None,
    keep_float: Annotated[
        list[str] | None, typer.Option(metavar="LAYER", help="Leave a layer out of quantization.")
    ] = None,
    quantizer: Annotated[str, typer.Option(help="tensorflow or litert.")] = "tensorflow",
    custom: Custom = None,
    trust: Trust = False,
    time_limit: TimeLimit = 1800,
    report: ReportFile = None,
    junit: JUnitFile = None,
    repository: Annotated[Path, typer.Option(help="The folder of published models.")] = REPOSITORY,
    as_json: AsJson = False,
) -> None:
    """Convert a checkpoint to every format, check parity, publish the next version.

    Exit codes: 0 published, 1 parity fails and nothing is published, 2 wrong usage or input, 3 published with
    an inconclusive verdict, which is not served.
    """
    import msgspec

    from export.console import ConsoleListener, make_console
    from export.console_table import print_table
    from export.formats import FORMATS, Format, default_formats, parse_formats
    from export.pipeline import ExportOptions, export_model
    from export.report_files import check_destinations, write_copies
    from export.source import find_checkpoint, load_run_data
    from training.datasets import load_dataset

    check_destinations(report, junit)
    named = parse_formats(formats) if formats else []
    wanted = {Format.ONNX, *(named or default_formats())}
    options = ExportOptions(
        formats=[kind for kind in Format if kind in wanted],
        required=[kind for kind in Format if kind in named or FORMATS[kind].required],
        keep_float=tuple(keep_float or ()),
        quantizer=quantizer,
        custom=_trusted(custom, trust),
        time_limit_s=time_limit,
    )
    checkpoint = find_checkpoint(source)
    dataset = load_dataset(data) if data else load_run_data(checkpoint)
    name = model or Path(dataset.source if checkpoint.record else source.name).stem
    with ConsoleListener(make_console(sys.stderr)) as listener:
        outcome = export_model(
            checkpoint,
            dataset,
            load_dataset(calibration) if calibration else dataset,
            options=options,
            repository=repository,
            name=name,
            listener=listener,
        )
    write_copies(outcome.report, dataset.test.inputs, page=report, junit=junit)
    if as_json:
        facts = {"artifacts": outcome.artifacts, "manifest": outcome.manifest, "verdict": outcome.verdict}
        typer.echo(msgspec.json.encode(facts))
    else:
        print_table(make_console(sys.stdout), outcome.artifacts)
        if outcome.manifest:
            typer.echo(f"published {repository / name / str(outcome.manifest.version)}: {outcome.verdict}")
        else:
            typer.echo(f"nothing published: {outcome.verdict}, a required artifact is not the trained model")
    raise typer.Exit(outcome.verdict.exit_code)


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
    from export.report_files import check_destinations, write_copies
    from export.served import find_standard, require_version

    check_destinations(report, junit)
    found = find_target(target)
    code = _trusted(custom, trust)
    stdout = make_console(sys.stdout)
    if url is None:
        model, dataset = _reference(found, target, reference, data, code)
        result = _check_files(found, target, model, dataset, margin, time_limit)
        write_copies(result, dataset.test.inputs, page=report, junit=junit)
        if as_json:
            typer.echo(msgspec.json.encode({"verdict": result.verdict, "artifacts": result.artifacts}))
        else:
            print_table(stdout, result.artifacts)
            typer.echo(f"parity: {result.verdict}")
    else:
        manifest = require_version(found, target)
        model, dataset = find_standard(found, reference=reference, data=data, runs=RUNS, custom=code)
        server = context.obj.connect(url, model=manifest.model, version=str(manifest.version))
        with server as runner:
            served, result = _check_server(runner, url, found, target, model, dataset, margin, time_limit)
        write_copies(result, dataset.test.inputs, page=report, junit=junit)
        if as_json:
            typer.echo(msgspec.json.encode(served))
        else:
            print_served(stdout, served)
    raise typer.Exit(result.verdict.exit_code)


def _check_files(
    found: "Target",
    target: Path,
    model: "ReferenceModel",
    dataset: "Dataset",
    margin: float | None,
    time_limit: float,
) -> "Report":
    from export.check import checking
    from export.check_report import check_report
    from export.console import ConsoleListener, make_console

    count = f"{len(dataset.test):,} samples"
    with ConsoleListener(make_console(sys.stderr)) as listener, contextlib.ExitStack() as stack:
        with listener.during(f"running the reference on {count}"):
            check = stack.enter_context(checking(model, dataset, time_limit_s=time_limit))
        verdicts = []
        for kind, path, settings in found.files:
            with listener.during(f"running {kind} on {count}"):
                verdicts.append(check.artifact(kind, path, settings, margin))
            listener.done(verdicts[-1])
        with listener.during("timing"):
            artifacts = check.time(found, verdicts)
        return check_report(found, target, model, dataset, check, artifacts)


def _check_server(
    runner: "Runner",
    url: str,
    found: "Target",
    target: Path,
    model: "ReferenceModel",
    dataset: "Dataset",
    margin: float | None,
    time_limit: float,
) -> "tuple[ServedCheck, Report]":
    from export.check import checking
    from export.check_report import check_report
    from export.console import ConsoleListener, make_console
    from export.served import check_server, require_version

    count = f"{len(dataset.test):,} samples"
    manifest = require_version(found, target)
    with ConsoleListener(make_console(sys.stderr)) as listener, contextlib.ExitStack() as stack:
        with listener.during(f"running the reference on {count}"):
            check = stack.enter_context(checking(model, dataset, time_limit_s=time_limit))
        with listener.during(f"asking {url} for {count}"):
            served = check_server(runner, check.reference, url=url, manifest=manifest, margin_points=margin)
        return served, check_report(found, target, model, dataset, check, [served.artifact])


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


def _trusted(custom: Path | None, trust: bool) -> "CustomCode | None":
    from export.custom import trust as take
    from export.errors import SourceError

    if custom is None:
        return None
    if not trust:
        raise SourceError(f"{custom} would be run: look at it, then add --trust")
    return take(custom)
