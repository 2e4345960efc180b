"""`model_data.h` and `model_data.c`: the int8 file as an aligned constant array, for interpreters."""

from pathlib import Path

from export.edge.c_text import c_comment, c_numbers
from export.edge.subject import Subject

ALIGNMENT = 16  # what interpreters demand of a flatbuffer: without it, loads of its weights fault

HEADER = """\
/* The int8 TFLite file of {title} as an array, for an interpreter; infer.c does not need it.
 * SHA-256 {sha256} */
#if defined(MODEL_DATA_H) && MODEL_DATA_OF_KIT != 0x{kit_id}u
#error "two kits of one prefix in one file: make one of them again with keraport edge --prefix"
#endif
#ifndef MODEL_DATA_H
#define MODEL_DATA_H

#define MODEL_DATA_OF_KIT 0x{kit_id}u
#define MODEL_DATA_BYTES {size}

#ifdef __cplusplus
extern "C" {{
#endif

/* Aligned to {alignment} bytes. */
extern const unsigned char model_data[MODEL_DATA_BYTES];

#ifdef __cplusplus
}}
#endif

#endif
"""

SOURCE = """\
#include "model_data.h"

#if defined(_MSC_VER)
#define MODEL_DATA_ALIGNED __declspec(align({alignment}))
#else
#define MODEL_DATA_ALIGNED __attribute__((aligned({alignment})))
#endif

MODEL_DATA_ALIGNED const unsigned char model_data[MODEL_DATA_BYTES] = {{
{numbers}
}};
"""


def write_model_data(subject: Subject, folder: Path) -> None:
    """Write both files."""
    content = subject.path.read_bytes()
    facts = {"sha256": subject.sha256, "size": len(content), "alignment": ALIGNMENT}
    header = HEADER.format(title=c_comment(subject.title), kit_id=subject.sha256[:8], **facts)
    (folder / "model_data.h").write_text(header, encoding="ascii", errors="replace")
    source = SOURCE.format(numbers=c_numbers(content), alignment=ALIGNMENT)
    (folder / "model_data.c").write_text(source, encoding="ascii")
