"""`keraport export` and `keraport parity`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")
REPOSITORY = Path("models")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]


def export(
    source: Annotated[
        Path, typer.Argument(help="A run, a .keras file, or a folder of runs: its newest complete one.")
    ] = RUNS,
    *,
    model: Annotated[
        str | None, typer.Option(help="The model's name; by default the data's or file's.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="`mnist` or an .npz file; by default the run's own.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(help="Comma-separated, each of them then required; by default all, onnx required."),
    ] = None,
    repository: Annotated[Path, typer.Option(help="The folder of published models.")] = REPOSITORY,
    as_json: AsJson = False,
) -> None:
    """Convert a checkpoint to every format, check parity, publish the next version.

    Exit codes: 0 published, 1 parity fails and nothing is published, 2 wrong usage or input, 3 published with
    an inconclusive verdict, which is not served.
    """
    import msgspec

    from export.console import ConsoleListener, make_console, print_table
    from export.formats import FORMATS, Format, parse_formats
    from export.pipeline import export_model
    from export.source import find_checkpoint, load_run_data
    from training.datasets import load_dataset

    required = parse_formats(formats) if formats else [kind for kind in Format if FORMATS[kind].required]
    checkpoint = find_checkpoint(source)
    dataset = load_dataset(data) if data else load_run_data(checkpoint)
    name = model or Path(dataset.source if checkpoint.record else source.name).stem
    with ConsoleListener(make_console(sys.stderr)) as listener:
        outcome = export_model(
            checkpoint,
            dataset,
            formats=list(dict.fromkeys([Format.ONNX, *required])) if formats else list(Format),
            required=list(dict.fromkeys([Format.ONNX, *required])),
            repository=repository,
            name=name,
            listener=listener,
        )
    if as_json:
        typer.echo(msgspec.json.encode(outcome))
    else:
        print_table(make_console(sys.stdout), outcome.artifacts)
        if outcome.manifest:
            typer.echo(f"published {repository / name / str(outcome.manifest.version)}: {outcome.verdict}")
        else:
            typer.echo(f"nothing published: {outcome.verdict}, a required artifact is not the trained model")
    raise typer.Exit(outcome.verdict.exit_code)


def parity(
    target: Annotated[
        Path, typer.Argument(help="A published version, a folder of them (the newest), or an artifact.")
    ] = REPOSITORY,
    *,
    reference: Annotated[
        Path | None, typer.Option(help="A run or .keras file; by default the version's own run.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="`mnist` or an .npz file; by default the reference run's own.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0, help="Accuracy drop to exclude, in percentage points; by default the tier's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check published artifacts against the trained model again.

    Exit codes: 0 pass, 1 parity fails, 2 wrong usage or input, 3 the data cannot decide.
    """
    import msgspec

    from export.check import check, find_own_checkpoint, find_target
    from export.console import ConsoleListener, make_console, print_table
    from export.reference import run_reference
    from export.source import find_checkpoint, load_checkpoint, load_run_data
    from export.verdict import worst
    from training.datasets import load_dataset

    found = find_target(target)
    checkpoint = find_checkpoint(reference) if reference else find_own_checkpoint(found, target, RUNS)
    with ConsoleListener(make_console(sys.stderr)) as listener:
        dataset = load_dataset(data) if data else load_run_data(checkpoint)
        listener.begin(f"running the reference on {len(dataset.test):,} samples")
        known = run_reference(load_checkpoint(checkpoint.path), checkpoint, dataset)
        artifacts = []
        for artifact in check(found, known, margin):
            artifacts.append(artifact)
            listener.done(artifact)
    verdict = worst(artifact.verdict for artifact in artifacts)
    if as_json:
        typer.echo(msgspec.json.encode({"verdict": verdict, "artifacts": artifacts}))
    else:
        print_table(make_console(sys.stdout), artifacts)
        typer.echo(f"parity: {verdict}")
    raise typer.Exit(verdict.exit_code)
