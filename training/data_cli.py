"""`keraport data`: look at the data before training on them; and the options that say how to read them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from training.datasets import DataOptions, Dataset

ImageSize = Annotated[
    str | None, typer.Option(help="HEIGHTxWIDTH in pixels, to which a folder's images are resized.")
]
Grey = Annotated[
    bool | None,
    typer.Option(
        "--grey/--colour", help="How to read a folder's images; by default grey if all of them are."
    ),
]
TestShare = Annotated[float, typer.Option(help="Of each class of a folder without train/ and test/, 0 to 1.")]
TaskName = Annotated[
    Literal["classification", "regression", "multi_label"] | None,
    typer.Option(
        "--task",
        help="Of every target; by default whole numbers are classes, a 0/1 matrix of them multi_label, "
        "floats regression.",
    ),
]

data_app = typer.Typer(no_args_is_help=True, help="Look at data before training on them.")


@data_app.callback()
def data() -> None:
    """Look at data before training on them."""


def show(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="mnist, fashion_mnist, an .npz file, a folder of IDX files, or a folder of images with a "
            "sub-folder a class.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Where to write the gallery.")] = Path("gallery.png"),
    image_size: ImageSize = None,
    grey: Grey = None,
    test_share: TestShare = 0.2,
    task: TaskName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print split sizes, shapes, dtypes and class balance, check the data, draw samples as a PNG file."""
    import sys

    from training.checks import check_dataset
    from training.datasets import load_dataset
    from training.summary import summarize
    from training.tables import make_console, print_summary, summary_document

    options = data_options(image_size=image_size, grey=grey, test_share=test_share, task=task)
    dataset = load_dataset(source, options)
    summary, console = summarize(dataset), make_console(sys.stdout)
    if not as_json:  # before the checks, for it shows why they fail
        print_summary(console, summary)
    warnings = check_dataset(dataset)
    gallery = _write_gallery(dataset, out)
    if as_json:
        typer.echo(summary_document(summary, warnings, gallery))
        return
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow")
    console.print(f"gallery: {gallery}" if gallery else "no gallery: the inputs are no images")


def data_options(
    *,
    image_size: str | None,
    grey: bool | None,
    test_share: float,
    task: Literal["classification", "regression", "multi_label"] | None,
) -> "DataOptions":
    """The command line's options as the loader takes them.

    Raises:
        DatasetError: the size is not two whole numbers, or a value is out of range.
    """
    from training.datasets import DataOptions, Task
    from training.errors import DatasetError

    sides = (image_size or "").lower().split("x")
    if image_size is not None and (len(sides) != 2 or not all(side.isdecimal() for side in sides)):  # noqa: PLR2004
        raise DatasetError(f"the image size is {image_size!r}: give HEIGHTxWIDTH in pixels, such as 64x64")
    return DataOptions(
        image_size=None if image_size is None else (int(sides[0]), int(sides[1])),
        grey=grey,
        test_share=test_share,
        task=None if task is None else Task(task),
    )


def _write_gallery(dataset: "Dataset", out: Path) -> Path | None:
    from training.errors import DatasetError
    from training.gallery import draw_gallery
    from training.record import write_atomically

    if not out.parent.is_dir() or out.is_dir():
        raise DatasetError(f"the gallery cannot become {out}: give --out a file in a folder that exists")
    content = draw_gallery(dataset)
    if content is None:
        return None
    write_atomically(out, content)
    return out
