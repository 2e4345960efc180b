"""What `keraport inspect` shows people."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from export.console_table import COLOURS
from export.inspecting.contents import Contents, OperatorFacts, TensorFacts
from export.inspecting.inspection import FileInspection, Inspection, State
from export.manifest import Manifest
from training.record import Metrics, RunRecord

STATE_COLOURS = {
    State.INTACT: "green",
    State.CHANGED: "bold red",
    State.MISSING: "bold red",
    State.UNBOUND: "bold red",
}
LONGEST = 200  # characters of a text that a file brings


def print_inspection(console: Console, found: Inspection) -> None:
    """Print facts, then the files; a file on its own in full, several in a table."""
    if found.run is not None:
        _print_pairs(console, _run_facts(found.run))
    elif found.manifest is not None:
        _print_pairs(console, _version_facts(found.manifest))
    if len(found.files) == 1:
        _print_file(console, found.files[0])
        return
    _print_files(console, found.files)
    _print_pairs(
        console,
        [
            (str(file.format), Text(_operators(file.contents.operators)))
            for file in found.files
            if file.contents
        ],
        title="operators, their versions and counts",
    )


def one_line(text: str) -> str:
    r"""A text of a file's on one line that steers no terminal, cut to what people read."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[: LONGEST + 1]
    )
    return shown if len(text) <= LONGEST else f"{shown[:LONGEST]}..."


def _version_facts(manifest: Manifest) -> list[tuple[str, Text]]:
    source = manifest.source
    facts = [
        ("model", f"{manifest.model} version {manifest.version}, published {manifest.created}"),
        *(
            (f"input {each.name}", f"{each.datatype} {_shape(each.shape)}, {each.meaning}")
            for each in manifest.inputs
        ),
        *(
            (f"output {each.name}", f"{each.datatype} {_shape(each.shape)}, {each.meaning}")
            for each in manifest.outputs
        ),
        ("labels", ", ".join(manifest.labels) or "none"),
        ("checkpoint", f"SHA-256 {source.checkpoint_sha256}"),
        ("run", source.run or "none, it was a .keras file"),
        *([("custom code", f"SHA-256 {source.custom_sha256}")] if source.custom_sha256 else []),
        (
            "data",
            f"{manifest.dataset.name}, {manifest.dataset.samples:,} test samples, "
            f"SHA-256 {manifest.dataset.sha256}",
        ),
        ("quantized", manifest.conversion.summary),
        ("packages", _pairs(manifest.packages)),
        ("CPU", " ".join(manifest.cpu_flags) or "not known"),
    ]
    return [(one_line(name), Text(one_line(value))) for name, value in facts]


def _run_facts(record: RunRecord) -> list[tuple[str, Text]]:
    data = record.dataset
    facts = [
        ("run", f"{record.name}, {record.status}, begun {record.created}"),
        ("recipe", f"{record.recipe}, seed {record.seed}"),
        ("parameters", f"{record.parameters:,}"),
        (
            "data",
            f"{data.source}, {data.train:,} training, {data.validation:,} validation, "
            f"{data.test:,} test samples",
        ),
        ("data SHA-256", data.sha256),
        ("best epoch", f"{record.best_epoch or 'none yet'} of {len(record.history)}"),
        *([("validation", _metrics(record.validation))] if record.validation else []),
        *([("test", _metrics(record.test))] if record.test else []),
        ("packages", _pairs(record.packages)),
    ]
    return [(name, Text(one_line(value))) for name, value in facts]


def _metrics(metrics: Metrics) -> str:
    if metrics.accuracy is not None:
        return f"accuracy {metrics.accuracy:.2%} of {metrics.samples:,} samples, loss {metrics.loss:.4g}"
    return f"loss {metrics.loss:.4g} on {metrics.samples:,} samples"


def _print_files(console: Console, files: Sequence[FileInspection]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("artifact", "bytes", "weights", "ms", "file", "verdict", "why"):
        table.add_column(column, justify="right" if column in ("bytes", "weights", "ms") else "left")
    for file in files:
        table.add_row(
            str(file.format),
            f"{file.bytes:,}" if file.bytes else "-",
            f"{sum(file.contents.weights.values()):,}" if file.contents else "-",
            f"{file.latency.one_ms:.3f}" if file.latency else "-",
            _state(file),
            Text(file.verdict, COLOURS[file.verdict]) if file.verdict else Text("-"),
            Text(one_line(file.problem or file.reason or "")),
        )
    console.print(table)


def _print_file(console: Console, file: FileInspection) -> None:
    facts = [("file", Text(one_line(str(file.path)))), ("state", _state(file))]
    if file.sha256:
        facts += [("bytes", Text(f"{file.bytes:,}")), ("SHA-256", Text(file.sha256))]
    if file.verdict:
        verdict = Text(file.verdict, COLOURS[file.verdict]).append(f", {one_line(file.reason or '')}", "none")
        facts.append(("verdict", verdict))
    if file.latency:
        facts.append(("latency", Text(f"{file.latency.one_ms:.3f} ms a sample, where it was exported")))
    if file.problem:
        facts.append(("problem", Text(one_line(file.problem), "red")))
    _print_pairs(console, facts)
    if file.contents:
        _print_contents(console, file.contents)


def _print_contents(console: Console, contents: Contents) -> None:
    facts = [
        *((name, version) for name, version in contents.versions.items()),
        *((f"input {each.name}", _tensor(each)) for each in contents.inputs),
        *((f"output {each.name}", _tensor(each)) for each in contents.outputs),
    ]
    if contents.weight_bytes is not None:
        kinds = ", ".join(f"{count:,} {dtype}" for dtype, count in contents.weights.items()) or "none"
        facts.append(("weights", f"{kinds}; {contents.weight_bytes:,} bytes"))
    if contents.float_tensors is not None:
        facts.append(
            ("float tensors", str(contents.float_tensors) if contents.float_tensors else "none left")
        )
    facts += [(f"metadata {name}", value) for name, value in contents.metadata.items() if value]
    if contents.custom:
        facts.append(("needs code", ", ".join(contents.custom)))
    facts += [("note", note) for note in contents.notes]
    _print_pairs(console, [(one_line(name), Text(one_line(value))) for name, value in facts])
    if contents.operators:
        rows = [
            (each.name, "-" if each.version is None else str(each.version), f"{each.count:,}")
            for each in contents.operators
        ]
        _print_rows(console, ("operator", "version", "count"), rows)
    if contents.layers:
        layers = [
            (each.name, each.class_name, "-" if each.parameters is None else f"{each.parameters:,}")
            for each in contents.layers
        ]
        _print_rows(console, ("layer", "class", "parameters"), layers)


def _print_pairs(console: Console, pairs: Iterable[tuple[str, Text]], *, title: str | None = None) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), value)
    if title:
        console.print(Text(title, "bold"))
    if table.row_count:
        console.print(table)
        console.print()


def _print_rows(console: Console, columns: Sequence[str], rows: Iterable[tuple[str, str, str]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in ("version", "count", "parameters") else "left")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console.print(table)


def _state(file: FileInspection) -> Text:
    return Text(file.state, STATE_COLOURS.get(file.state, ""))


def _operators(operators: Sequence[OperatorFacts]) -> str:
    texts = (
        one_line(each.name)
        + ("" if each.version is None else f" v{each.version}")
        + ("" if each.count == 1 else f" ×{each.count}")  # noqa: RUF001  (times)
        for each in operators
    )
    return ", ".join(texts)


def _tensor(tensor: TensorFacts) -> str:
    parts = [] if tensor.dtype is None else [tensor.dtype]
    if tensor.shape is not None:
        parts.append(_shape(tensor.shape))
    text = " ".join(parts) or "not said"
    if tensor.scale is not None:
        zero_point = tensor.zero_point or 0
        sign = "+" if zero_point < 0 else "-"
        text += f", real = {tensor.scale:.6g} · (stored {sign} {abs(zero_point)})"
    return text


def _shape(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
