"""`keraport parity`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.edge.devices.device_cli import parity_of_device
from export.edge.devices.device_names import OWN_VERDICT
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
    from export.explaining.explanation import Explanation
    from export.formats import Format
    from export.handed import Browser
    from export.reference import ReferenceModel
    from export.reporting.report import Report
    from export.runner import Runner
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
    device: Annotated[
        str | None,
        typer.Option(
            help="Check the int8 file's C on a device: host, or an emulated one, qemu:mps2-an385; or the "
            "int8 file under TensorFlow Lite Micro, tflm; or the uint8 file in a browser, chromium."
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Test samples that a device runs the C on; under 1,000, the default, nothing is proven.",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Accuracy drop to exclude, in points; by default the tier's."),
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
    """Check published artifacts against the trained model again, or a live server or a device against them.

    Exit codes: 0 pass, 1 parity fails, 2 wrong usage or input, 3 the data cannot decide.
    """
    import msgspec

    from export.check import find_target
    from export.console import make_console, print_served
    from export.console_table import print_table
    from export.explaining.explain_table import print_explanation
    from export.reporting.files import check_destinations, write_copies
    from export.served import find_standard, require_version

    if device is not None and device not in OWN_VERDICT:
        parity_of_device(
            target,
            device,
            data=data,
            samples=samples,
            time_limit_s=time_limit,
            junit=junit,
            as_json=as_json,
            others=(url, reference, margin, custom, report, explain or None),
        )
    check_destinations(report, junit)
    _check_combination(target, url=url, device=device, explain=explain, samples=samples)
    found, code, console = find_target(target), trusted(custom, trust), make_console(sys.stdout)
    if url is None:
        model, dataset = _reference(found, target, reference, data, code)
        wanted = _Wanted(found, target, model, dataset, margin, time_limit)
        if device is None:
            result, explanations = _check_files(wanted, explain=explain)
        else:
            result, explanations = _check_elsewhere(wanted, device, context.obj.browser()), {}
        write_copies(result, dataset.test.inputs, page=report, junit=junit)
        if as_json:
            typer.echo(msgspec.json.encode(_facts(result, explanations)))
        else:
            print_table(console, result.artifacts)
            for kind, explanation in explanations.items():
                print_explanation(console, kind, explanation)
            typer.echo(f"parity: {result.verdict}")
    else:
        manifest = require_version(found, target)
        model, dataset = find_standard(found, reference=reference, data=data, runs=RUNS, custom=code)
        wanted = _Wanted(found, target, model, dataset, margin, time_limit)
        with context.obj.connect(url, model=manifest.model, version=str(manifest.version)) as runner:
            served, result = _check_server(wanted, runner, url)
        write_copies(result, dataset.test.inputs, page=report, junit=junit)
        if as_json:
            typer.echo(msgspec.json.encode(served))
        else:
            print_served(console, served)
    raise typer.Exit(result.verdict.exit_code)


def _check_combination(
    target: Path, *, url: str | None, device: str | None, explain: bool, samples: int | None
) -> None:
    """Check that the options say one thing to check.

    Raises:
        SourceError: they say another.
    """
    from export.errors import SourceError

    if (url is not None or device is not None) and explain:
        raise SourceError("--explain looks into files: leave it out, or leave out --url and --device")
    if url is not None and device is not None:
        raise SourceError("a server or a device is checked, not both: leave out --url or --device")
    if samples is not None:
        raise SourceError(
            "all test samples are compared here: --samples goes with a --device that runs the C"
        )
    if url is not None and target.is_file():
        raise SourceError(
            f"{target} is no published version: name the folder of the one that is to be served"
        )


def _facts(result: "Report", explanations: "dict[Format, Explanation | str]") -> dict[str, object]:
    facts: dict[str, object] = {"verdict": result.verdict, "artifacts": result.artifacts}
    facts |= {"device": result.device} if result.device else {}
    return facts | ({"explanations": explanations} if explanations else {})


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be checked, and against what."""

    found: "Target"
    target: Path
    model: "ReferenceModel"
    dataset: "Dataset"
    margin: float | None
    time_limit_s: float


def _check_files(wanted: _Wanted, *, explain: bool) -> "tuple[Report, dict[Format, Explanation | str]]":
    from export.check import checking
    from export.console import ConsoleListener, make_console
    from export.reporting.check_report import check_report

    explanations: dict[Format, Explanation | str] = {}
    count, files = f"{len(wanted.dataset.test):,} samples", wanted.found.files
    with (
        ConsoleListener(make_console(sys.stderr)) as listener,
        checking(wanted.model, wanted.dataset, time_limit_s=wanted.time_limit_s, listener=listener) as check,
    ):
        verdicts = []
        for kind, path, settings in files:
            with listener.during(f"running {kind} on {count}"):
                verdicts.append(check.artifact(kind, path, settings, wanted.margin))
            listener.done(verdicts[-1])
        with listener.during("timing"):
            artifacts = check.time(wanted.found, verdicts)
        for (kind, path, settings), artifact in zip(files, artifacts, strict=True):
            if explain:
                with listener.during(f"looking into {kind}"):
                    explanations[kind] = check.explain(kind, path, settings, artifact)
        known = {kind: each for kind, each in explanations.items() if not isinstance(each, str)}
        result = check_report(
            wanted.found, wanted.target, wanted.model, wanted.dataset, check, artifacts, known
        )
    return result, explanations


def _check_elsewhere(wanted: _Wanted, device: str, browser: "Browser") -> "Report":
    from export.check import checking
    from export.console import ConsoleListener, make_console
    from export.edge.devices.own_verdict import file_for, judge_elsewhere
    from export.reporting.check_report import check_report

    target, limit = file_for(device, wanted.found, wanted.target, browser), wanted.time_limit_s
    with (
        ConsoleListener(make_console(sys.stderr)) as listener,
        checking(wanted.model, wanted.dataset, time_limit_s=limit, listener=listener) as check,
    ):
        with listener.during(
            f"running {target.files[0][0]} by {device} on {len(wanted.dataset.test):,} samples"
        ):
            artifact = judge_elsewhere(
                device, target, check, browser=browser, margin_points=wanted.margin, time_limit_s=limit
            )
        listener.done(artifact)
        return check_report(
            target, wanted.target, wanted.model, wanted.dataset, check, [artifact], {}, device=device
        )


def _check_server(wanted: _Wanted, runner: "Runner", url: str) -> "tuple[ServedCheck, Report]":
    from export.check import checking
    from export.console import ConsoleListener, make_console
    from export.reporting.check_report import check_report
    from export.served import check_server, require_version

    manifest = require_version(wanted.found, wanted.target)
    with (
        ConsoleListener(make_console(sys.stderr)) as listener,
        checking(wanted.model, wanted.dataset, time_limit_s=wanted.time_limit_s, listener=listener) as check,
    ):
        with listener.during(f"asking {url} for {len(wanted.dataset.test):,} samples"):
            served = check_server(
                runner, check.reference, url=url, manifest=manifest, margin_points=wanted.margin
            )
        result = check_report(
            wanted.found, wanted.target, wanted.model, wanted.dataset, check, [served.artifact], {}
        )
    return served, result


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
