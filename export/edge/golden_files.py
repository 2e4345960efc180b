"""`golden/`: the golden vectors as .npz for Python, CSV for people, and a C header for the device."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.edge.c_text import c_comment, c_numbers, c_rows
from export.edge.golden import Golden
from export.edge.subject import Subject

FOLDER = "golden"

HEADER = """\
/* {count} samples of {data} with what {title} must answer, byte for byte.
 * Outputs come from LiteRT's reference kernels. Include it in one source file alone. */
#if defined(GOLDEN_H) && GOLDEN_KIT_ID != 0x{kit_id}u
#error "two kits of one prefix in one file: make one of them again with keraport edge --prefix"
#endif
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdint.h>

#define GOLDEN_KIT_ID 0x{kit_id}u
#define GOLDEN_COUNT {count}
#define GOLDEN_INPUT_BYTES {input_bytes}
#define GOLDEN_OUTPUT_BYTES {output_bytes}
/* Whether golden_pixels is here: samples as they come from a camera, before they become inputs. */
#define GOLDEN_HAS_PIXELS {has_pixels}
/* Whether golden_class is here: the class of each output. */
#define GOLDEN_HAS_CLASSES {has_classes}

{arrays}
#endif
"""

ARRAY = """\
static const {type} golden_{name}[GOLDEN_COUNT][GOLDEN_{side}_BYTES] = {{
{rows}
}};
"""


def write_golden(subject: Subject, golden: Golden, data: str, folder: Path) -> None:
    """Write the three files.

    Args:
        subject: the model.
        golden: its vectors.
        data: the name of the data that they come from.
        folder: of the kit.
    """
    home = folder / FOLDER
    home.mkdir()
    named: dict[str, Any] = _arrays(golden)  # numpy 2.0 takes every keyword for an array's name
    np.savez_compressed(home / "golden.npz", **named)
    _write_csv(golden, home / "golden.csv")
    (home / "golden.h").write_text(_header(subject, golden, data), encoding="ascii", errors="replace")


def _arrays(golden: Golden) -> dict[str, NDArray[Any]]:
    named = {
        "index": golden.index,
        "raw": golden.raw,
        "input": golden.input,
        "output": golden.output,
        "label": golden.label,
        "expected": golden.expected,
    }
    return {name: array for name, array in named.items() if array is not None}


def _write_csv(golden: Golden, path: Path) -> None:
    """One row a sample: its place in the data, raw, input and output numbers, true and expected class."""
    columns = {name: array.reshape(len(golden), -1) for name, array in _arrays(golden).items()}
    heads = [
        f"{name}_{place}" if name in ("raw", "input", "output") else name
        for name, array in columns.items()
        for place in range(array.shape[1])
    ]
    with path.open("w", encoding="ascii", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(heads)
        for row in range(len(golden)):
            writer.writerow([value for array in columns.values() for value in array[row].tolist()])


def _header(subject: Subject, golden: Golden, data: str) -> str:
    arrays = [
        ARRAY.format(type="int8_t", name="input", side="INPUT", rows=c_rows(golden.input)),
        ARRAY.format(type="int8_t", name="output", side="OUTPUT", rows=c_rows(golden.output)),
    ]
    if subject.pixels:
        pixels = ARRAY.format(type="uint8_t", name="pixels", side="INPUT", rows=c_rows(golden.raw))
        arrays.insert(0, pixels)
    if golden.expected is not None:
        numbers = c_numbers(golden.expected.tolist())
        arrays.append(f"static const int golden_class[GOLDEN_COUNT] = {{\n{numbers}\n}};\n")
    return HEADER.format(
        title=c_comment(subject.title),
        data=c_comment(Path(data).name),
        kit_id=subject.sha256[:8],
        count=len(golden),
        input_bytes=subject.input.bytes,
        output_bytes=subject.output.bytes,
        has_pixels=int(subject.pixels),
        has_classes=int(golden.expected is not None),
        arrays="\n".join(arrays),
    )
