"""The kit's `README.md`: sizes, memory, what to include, how pixels become inputs, and what was proven."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from export.edge.record import Kit, board_figures
from export.reporting.markup import printable

WIDTH = 100  # of prose
WHAT = {
    "model_int8.tflite": "int8 in and out: microcontrollers",
    "model_uint8.tflite": "raw pixels in: browsers and Linux boards",
    "model_fp32.tflite": "single precision: for comparison",
    "model_data.c": "the int8 file as an aligned array, for an interpreter",
    "model_settings.h": "shapes, scale, zero point, labels, operators, arena, SHA-256",
    "infer.c": "the model in C99 without a runtime",
    "preprocess.c": "pixels to inputs",
    "verify.c": "the golden vectors on your compiler or board",
    "golden/golden.npz": "golden vectors; golden.csv and golden.h hold the same",
    "tflm/main.cc": "an example for TensorFlow Lite Micro",
    "python/classify.py": "an example in Python, on ai-edge-litert alone",
}


def write_readme(kit: Kit, folder: Path) -> None:
    """Write it."""
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*")}
    lines = [
        f"# {printable(kit.model)} version {kit.version} for devices",
        "",
        f"Made by keraport from the published int8 file with SHA-256 `{kit.sha256}`.",
        f"Its verdict against the trained model: {printable(kit.verdict)}.",
        "",
        *_table(
            ("file", "bytes", "what it is"),
            [(f"`{name}`", f"{sizes[name]:,}", what) for name, what in _what(kit) if name in sizes],
        ),
        "",
        *_proof(kit),
        "",
        *_portable(kit),
        *_boards(kit),
        *_tflm(kit),
        *_pixels(kit, takes_pixels="model_uint8.tflite" in sizes),
        *_mistakes(kit),
        *_operators(kit),
    ]
    text = "\n".join(lines).rstrip("\n") + "\n"
    (folder / "README.md").write_text(text, encoding="utf-8")


def _what(kit: Kit) -> Iterator[tuple[str, str]]:
    """Files, and what each is."""
    for name, what in WHAT.items():
        yield name, what if kit.pixels else what.replace("raw pixels in", "uint8 in and out")


def _proof(kit: Kit) -> Iterator[str]:
    """What was compared with LiteRT's reference kernels, under which the file's verdict was taken."""
    host, tflm = kit.host, kit.tflm
    rows = []
    if host.test is not None:
        rows.append(("C without a runtime, on the machine that made the kit", host.test.summary))
    if tflm.test is not None and tflm.golden is not None:
        rows.append(("TensorFlow Lite Micro, its package for Python", tflm.test.summary))
        rows.append(("the same on the golden vectors", tflm.golden.summary))
    if kit.browser is not None and kit.browser.test is not None and kit.browser.golden is not None:
        rows.append((f"`model_uint8.tflite`, {printable(kit.browser.release)}", kit.browser.test.summary))
        rows.append(("the same on the golden vectors", kit.browser.golden.summary))
    yield "## Proof"
    yield ""
    if not rows:
        why = [kit.portable.reason or "no C compiler is installed", tflm.reason]
        yield from _paragraph(f"Nothing ran it where this kit was made: {printable('; '.join(why))}.")
        return
    yield from _paragraph(
        "Compared byte by byte with LiteRT's reference kernels, under which the verdict above was taken:"
    )
    yield ""
    yield from _table(("what runs it", "difference"), rows)
    yield ""
    said = [_vectors(kit), "What differs in no byte inherits the verdict."]
    if tflm.differs:
        said.append(
            "TensorFlow Lite Micro rounds some layers in its own way: `keraport parity --device tflm` "
            "gives it a verdict of its own, by all test samples."
        )
    if kit.browser is not None and kit.browser.golden is not None:
        said.append("A browser gets one by `keraport parity --device chromium`.")
    if kit.portable.arena_bytes is not None:
        said.append("On your board, `verify` tells.")
    elif tflm.arena_minimum is not None:
        said.append("On your board, `tflm/main.cc` tells.")
    yield from _paragraph(" ".join(said))


def _vectors(kit: Kit) -> str:
    """How many there are, and how well the model does on them."""
    golden = kit.golden
    wrong = "" if golden.wrong is None else f", of which the model takes {golden.wrong} for another class"
    kind = "the first test samples" if golden.wrong is None else "the first test samples of every class"
    return f"The {golden.vectors} golden vectors are {kind}{wrong}."


def _portable(kit: Kit) -> Iterator[str]:
    portable, code, macro = kit.portable, kit.code, kit.prefix.upper()
    yield "## C without a runtime"
    yield ""
    if portable.arena_bytes is None:
        yield from _paragraph(f"Left out: {printable(portable.reason)}.")
        yield ""
        return
    flash = [("constants", f"{portable.constant_bytes:,}")]
    if code is not None:
        flash = [
            ("flash: constants", f"{portable.constant_bytes:,}"),
            (f"flash: code, gcc -Os for {code.target}", f"{code.flash_bytes - portable.constant_bytes:,}"),
            ("flash in all", f"{code.flash_bytes:,}"),
        ]
    ram = kit.ram_bytes
    rows = [
        *flash,
        ("RAM: arena", f"{portable.arena_bytes:,}"),
        ("RAM: input and output", f"{kit.input.bytes + kit.output.bytes:,}"),
        ("RAM in all, without the stack", f"{ram:,}"),
    ]
    yield from _paragraph(
        "Compile `infer.c`; include `infer.h`, which includes `model_settings.h`. "
        "No heap, no operating system, no floating point."
    )
    yield ""
    yield from _table(("what", "bytes"), rows)
    yield ""
    yield "```c"
    yield '#include "infer.h"'
    yield ""
    yield f"static uint8_t arena[{macro}_ARENA_BYTES] __attribute__((aligned({macro}_ARENA_ALIGNMENT)));"
    yield f"static int8_t input[{macro}_INPUT_BYTES], output[{macro}_OUTPUT_BYTES];"
    yield ""
    yield f"{kit.prefix}_infer(arena, input, output);"
    yield f"int place = {kit.prefix}_top(output);"
    yield "```"
    yield ""
    yield from _paragraph(
        "Several models in one firmware: give each kit names of its own, by `keraport edge --prefix NAME`."
    )
    yield ""
    yield from _paragraph(
        "`make verify && ./verify` builds the golden vectors with any C99 compiler (`CC`, `CFLAGS`) and "
        "counts the bytes that differ: exit code 0 if none does, else 1. With gcc, `-O3 -funroll-loops` "
        "takes some kilobytes of flash more and a fraction of the instructions; `-Os` takes the least flash. "
        "The C comes from BakeNN, whose licence is `licenses/bakenn.txt`, but for what has no `bknn` in its "
        "name: operators that it does not know."
    )
    yield ""


def _boards(kit: Kit) -> Iterator[str]:
    rows = [
        (
            board.cpu,
            "0 bytes differ" if board.golden else "bytes differ",
            *board_figures(kit, board),
        )
        for board in kit.boards
        if not board.reason
    ]
    if rows:
        yield from _paragraph(
            "Emulated, compiled by -O2. RAM is without the stack. The stack is what one inference takes on "
            "top of its caller, without interrupts: measured by a pattern below the stack pointer. "
            "Instructions of one inference are no cycles, which QEMU does not model:"
        )
        yield ""
        yield from _table(("processor", "golden vectors", "flash", "RAM", "stack", "instructions"), rows)
        yield ""


def _tflm(kit: Kit) -> Iterator[str]:
    tflm, macro = kit.tflm, kit.prefix.upper()
    yield "## TensorFlow Lite Micro"
    yield ""
    if tflm.arena_minimum is None:
        yield from _paragraph(f"Left out: {printable(tflm.reason)}.")
        yield ""
        return
    yield from _paragraph(
        "Compile `model_data.c`, and take the resolver and the arena from `tflm/main.cc`. The arena is "
        f"aligned to 16 bytes. Where pointers have 8 bytes, release {tflm.release} needs "
        f"{tflm.arena_minimum:,} of them; `{macro}_TFLM_ARENA_BYTES` is {tflm.arena_bytes:,}. A 32-bit "
        "device needs less: the example says how much, and the compiler's option "
        f"`-D{macro}_TFLM_ARENA_BYTES=...` sets it."
    )
    yield ""


def _pixels(kit: Kit, *, takes_pixels: bool) -> Iterator[str]:
    yield "## From pixels to inputs"
    yield ""
    shape = " x ".join(map(str, kit.input.shape[1:]))
    if kit.pixels:
        yield from _paragraph(
            f"`{kit.input.name}` takes {shape} numbers, row by row from the top left, channels side by side. "
            "Each is the pixel, 0 to 255, minus 128. Whatever scaling there is, is inside the model. "
            f"{'`model_uint8.tflite` takes the pixels as they are. ' if takes_pixels else ''}"
            "Images must look as those of the training data do: size, polarity, framing."
        )
        yield ""
        if kit.portable.arena_bytes is not None:
            yield from _paragraph(
                "Write your own in place of `preprocess.c`, and prove it: "
                "`make verify PREPROCESS=yours.c && ./verify`."
            )
        elif kit.tflm.arena_minimum is not None:
            yield from _paragraph(
                "Write your own in place of `preprocess.c`, and prove it with `tflm/main.cc`."
            )
    else:
        scale, zero_point = kit.input.scale, kit.input.zero_point
        yield from _paragraph(
            f"`{kit.input.name}` takes {shape} numbers: value / {scale:.9g} + ({zero_point}), rounded, and "
            "kept within -128 to 127."
        )
    yield ""


def _mistakes(kit: Kit) -> Iterator[str]:
    if not kit.mistakes:
        return
    rows = [
        (
            each.what,
            "" if each.accuracy is None else f"{each.accuracy:.1%}",
            f"{each.agreement:.1%}",
        )
        for each in kit.mistakes
    ]
    yield "## Common mistakes"
    yield ""
    yield from _paragraph(
        f"Measured on the first {kit.mistakes[0].samples:,} test samples"
        f"{'; `verify` finds each of them' if kit.portable.arena_bytes is not None else ''}."
    )
    yield ""
    yield from _table(("input", "accuracy", "same class as the right input"), rows)
    yield ""


def _operators(kit: Kit) -> Iterator[str]:
    rows = [(each.name, str(each.version), str(each.count)) for each in kit.operators]
    yield "## Operators of the int8 file"
    yield ""
    yield from _table(("operator", "version", "count"), rows)


def _paragraph(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
