"""`model_settings.h`: everything that firmware must know of the model, as macros."""

from pathlib import Path

from export.edge.c_text import c_comment, c_float, c_string
from export.edge.devices.tflm_check import TflmFacts
from export.edge.record import ABI_VERSION
from export.edge.subject import Subject, Tensor

NAME = "model_settings.h"

HEADER = """\
/* Settings of {title}, of its int8 file alone.
 * A real value is (number - zero point) * scale.
{input_line}
 * Operators, with the versions that a runtime must know:
{operators}
 */
#if defined(MODEL_SETTINGS_H) && MODEL_KIT_ID != 0x{kit_id}u
#error "two kits of one prefix in one file: make one of them again with keraport edge --prefix"
#endif
#ifndef MODEL_SETTINGS_H
#define MODEL_SETTINGS_H

/* Raised when infer.h or this file change incompatibly. */
#define MODEL_ABI_VERSION {abi_version}
/* The first 32 bits of the SHA-256: files of different kits refuse to compile together. */
#define MODEL_KIT_ID 0x{kit_id}u

#define MODEL_NAME {name}
#define MODEL_VERSION {version}
#define MODEL_SHA256 "{sha256}"

{tensors}

{classes}
{arena}#endif
"""

ARENA = """\
/* The tensor arena of TensorFlow Lite Micro in bytes, aligned to 16. The minimum was measured where
 * pointers have 8 bytes, more than a 32-bit device needs; {margin} are added for other releases.
 * Give the compiler -DMODEL_TFLM_ARENA_BYTES=... for what tflm/main.cc says that your device uses. */
#define MODEL_TFLM_ARENA_MINIMUM {minimum}
#ifndef MODEL_TFLM_ARENA_BYTES
#define MODEL_TFLM_ARENA_BYTES {bytes}
#endif

"""


def write_settings(subject: Subject, tflm: TflmFacts, folder: Path) -> None:
    """Write the header."""
    arena = ""
    if tflm.arena_minimum is not None:
        margin = tflm.arena_bytes - tflm.arena_minimum
        arena = ARENA.format(margin=margin, minimum=tflm.arena_minimum, bytes=tflm.arena_bytes)
    text = HEADER.format(
        title=c_comment(subject.title),
        input_line=" * Input: raw pixels 0..255, each as pixel - 128."
        if subject.pixels
        else " * Input: int8 numbers.",
        operators="\n".join(
            f" *   {c_comment(operator.name)} v{operator.version}, {operator.count}"
            for operator in subject.operators
        ),
        abi_version=ABI_VERSION,
        kit_id=subject.sha256[:8],
        name=c_string(subject.manifest.model),
        version=subject.manifest.version,
        sha256=subject.sha256,
        tensors="\n\n".join([_tensor("INPUT", subject.input), _tensor("OUTPUT", subject.output)]),
        classes=_classes(subject),
        arena=arena,
    )
    (folder / NAME).write_text(text, encoding="ascii", errors="replace")


def _tensor(which: str, tensor: Tensor) -> str:
    shape = ", ".join(map(str, tensor.shape))
    return "\n".join(
        f"#define MODEL_{which}_{name} {value}"
        for name, value in (
            ("NAME", c_string(tensor.name)),
            ("DTYPE", '"int8"'),
            ("RANK", len(tensor.shape)),
            ("SHAPE", f"{{{shape}}}"),
            ("BYTES", tensor.bytes),
            ("SCALE", c_float(tensor.scale)),
            ("ZERO_POINT", f"({tensor.zero_point})"),
        )
    )


def _classes(subject: Subject) -> str:
    """Labels as an initializer: `static const char *const labels[] = MODEL_LABELS;`."""
    if subject.classes is None:
        return ""
    labels = ", \\\n    ".join(map(c_string, subject.manifest.labels))
    return f"#define MODEL_CLASSES {subject.classes}\n#define MODEL_LABELS {'{'} \\\n    {labels} \\\n{'}'}\n"
