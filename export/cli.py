"""`keraport export`."""

import sys
from pathlib import Path
from typing import Annotated

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
    intra_op_threads: Annotated[
        int, typer.Option(min=1, max=256, help="Check ONNX files, and have them served, under so many.")
    ] = 1,
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
    from export.converters.quantizers import check_quantizer
    from export.draft import ExportOptions
    from export.errors import SourceError
    from export.formats import FORMATS, Format, Tier, default_formats, parse_formats
    from export.pipeline import export_model
    from export.reporting.files import check_destinations, write_copies
    from export.sessions import SessionSettings
    from export.source import find_checkpoint, load_run_data
    from training.datasets import load_dataset

    check_destinations(report, junit)
    named = parse_formats(formats) if formats else []
    wanted = {Format.ONNX, *(named or default_formats())}
    options = ExportOptions(
        formats=[kind for kind in Format if kind in wanted],
        required=[kind for kind in Format if kind in named or FORMATS[kind].required],
        keep_float=tuple(keep_float or ()),
        quantizer=check_quantizer(quantizer),
        session=SessionSettings(intra_op_threads=intra_op_threads),
        custom=trusted(custom, trust),
        time_limit_s=time_limit,
    )
    if keep_float and not any(FORMATS[kind].tier is not Tier.LOSSLESS for kind in options.formats):
        raise SourceError("--keep-float: no format has less than single precision: name one in --formats")
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
