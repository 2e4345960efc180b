"""`keraport parity --device`."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import typer

from export.options_cli import RUNS


def parity_of_device(
    target: Path,
    device: str,
    *,
    data: str | None,
    samples: int | None,
    time_limit_s: float,
    junit: Path | None,
    as_json: bool,
    others: tuple[object, ...],
) -> None:
    """Check a device image against the published int8 file; ends the command.

    Args:
        target: the published version.
        device: its name.
        data: of a `--data` option.
        samples: how many to send; None sends as many as are needed.
        time_limit_s: seconds that the device may take.
        junit: where to write the verdict as JUnit XML, if anywhere.
        as_json: whether to print JSON.
        others: values of the options that say nothing of a device, None where they were not given.

    Raises:
        SourceError: one of these was given.
    """
    import msgspec

    from export.console import ConsoleListener, make_console
    from export.edge.devices.device import FEWEST, check_device, device_junit, find_device
    from export.edge.subject import find_subject
    from export.errors import SourceError
    from export.reporting.files import check_destinations, write_whole
    from export.reporting.markup import printable
    from export.served import own_data
    from training.datasets import load_dataset

    if any(option is not None for option in others):
        raise SourceError("--device goes with --data, --samples, --time-limit, --junit and --json alone")
    check_destinations(junit)
    find_device(device)
    subject = find_subject(target)
    dataset = load_dataset(data) if data else own_data(subject.target, subject.folder, RUNS)
    count = min(samples or FEWEST, len(dataset.test))
    with (
        tempfile.TemporaryDirectory(prefix="keraport-") as scratch,
        ConsoleListener(make_console(sys.stderr)) as listener,
        listener.during(f"asking {device} for {count:,} samples"),
    ):
        result = check_device(
            subject, dataset, device, Path(scratch), samples=count, time_limit_s=time_limit_s
        )
    if junit is not None:
        write_whole(junit, device_junit(result, datetime.now(UTC).isoformat(timespec="seconds")))
    if as_json:
        typer.echo(msgspec.json.encode(result))
    else:
        typer.echo(f"parity: {result.verdict}, {printable(result.reason)} ({device}, {subject.title})")
    raise typer.Exit(result.verdict.exit_code)
