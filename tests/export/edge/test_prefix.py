"""Several kits in one firmware: names of their own, or an error that says so."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from export.edge.prefix import Prefix, set_prefix
from export.errors import KitError

WARNINGS = ("-pedantic", "-Wall", "-Wextra", "-Werror")
HEADERS = ("infer.h", "model_data.h", "preprocess.h", "golden/golden.h")
DEFINED = re.compile(r"^#(?:define|ifndef) (\w+)", re.MULTILINE)

ANSWERS = """
static int {name}(void) {{
    static uint8_t arena[{macro}_ARENA_BYTES] __attribute__((aligned({macro}_ARENA_ALIGNMENT)));
    static int8_t input[{macro}_INPUT_BYTES], output[{macro}_OUTPUT_BYTES];
    int vector, place, wrong = 0;
    for (vector = 0; vector < {macro}_GOLDEN_COUNT; ++vector) {{
        {name}_input_from_pixels({name}_golden_pixels[vector], input);
        {name}_infer(arena, input, output);
        wrong += {name}_top({name}_golden_input[vector]) < 0;
        wrong += {name}_top(output) != {name}_golden_class[vector];
        for (place = 0; place < {macro}_OUTPUT_BYTES; ++place) {{
            wrong += output[place] != {name}_golden_output[vector][place];
        }}
    }}
    return wrong + ({macro}_DATA_BYTES != (int)sizeof {name}_data);
}}
"""


def names_of(folder):
    """What a kit's C files define for the preprocessor, by file."""
    paths = [path for path in folder.rglob("*") if path.suffix in (".h", ".c", ".cc")]
    return {path.relative_to(folder).as_posix(): DEFINED.findall(path.read_text()) for path in paths}


def symbols(folder, scratch):
    """External symbols of a kit's own files: those that firmware links."""
    objects = []
    for name in ("infer", "model_data", "preprocess"):
        objects.append(scratch / f"{name}.o")
        subprocess.run(["cc", "-std=c99", "-c", folder / f"{name}.c", "-o", objects[-1]], check=True)
    command = ["nm", "-g", "--defined-only", *objects]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split()[2] for line in listed.splitlines() if len(line.split()) == 3]


def test_every_name_begins_with_the_prefix_and_files_keep_theirs(digits, kit, tmp_path):
    assert json.loads((digits / "kit.json").read_text())["prefix"] == "digits"
    found = symbols(digits, tmp_path)
    assert {"digits_infer", "digits_top", "digits_data", "digits_input_from_pixels"} < set(found)
    assert all(name.startswith("digits_") for name in found)
    assert all(name.startswith("model_") for name in symbols(kit, tmp_path))
    for folder, capitals in ((digits, "DIGITS_"), (kit, "MODEL_")):
        names = names_of(folder)
        assert names.keys() >= {*HEADERS, "infer.c", "model_settings.h", "verify.c", "tflm/main.cc"}
        assert all(name.startswith(capitals) for listed in names.values() for name in listed)
    readme = (digits / "README.md").read_text()
    assert "digits_infer(arena, input, output);" in readme
    assert not re.search(r"\bmodel_(infer|top)|MODEL_", readme)


def test_two_kits_in_one_program_answer_both(digits, kit, tmp_path):
    shutil.copytree(kit, tmp_path / "model")
    (tmp_path / "digits").symlink_to(digits)
    includes = "".join(f'#include "{name}/{header}"\n' for name in ("digits", "model") for header in HEADERS)
    bodies = "".join(ANSWERS.format(name=name, macro=name.upper()) for name in ("digits", "model"))
    (tmp_path / "main.c").write_text(f"{includes}{bodies}int main(void) {{ return digits() + model(); }}\n")
    sources = [Path(name) / file for name in ("digits", "model") for file in ("infer.c", "preprocess.c")]
    data = [Path(name) / "model_data.c" for name in ("digits", "model")]
    command = ["cc", "-std=c99", *WARNINGS, "-O1", "-I.", "main.c", *sources, *data, "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "program"], check=False).returncode == 0
    (tmp_path / "main.cc").write_text(includes)
    subprocess.run(["g++", *WARNINGS, "-I.", "-fsyntax-only", "main.cc"], cwd=tmp_path, check=True)


def test_verify_works_with_a_prefix(digits, tmp_path):
    shutil.copytree(digits, tmp_path / "kit")
    subprocess.run(["make", "-C", tmp_path / "kit", "verify"], capture_output=True, check=True)
    run = subprocess.run([tmp_path / "kit" / "verify"], capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "inference: 0 of 700 output bytes differ" in run.stdout


@pytest.mark.parametrize("header", ["infer.h", "model_settings.h", "model_data.h", "golden/golden.h"])
def test_two_kits_of_one_prefix_in_one_file_are_refused(kit, tmp_path, header):
    for name in ("one", "other"):
        for path in (header, "model_settings.h"):
            (tmp_path / name / path).parent.mkdir(exist_ok=True, parents=True)
            shutil.copyfile(kit / path, tmp_path / name / path)
    identity = json.loads((kit / "kit.json").read_text())["sha256"][:8]
    for path in (tmp_path / "other").rglob("*.h"):
        path.write_text(path.read_text().replace(f"0x{identity}u", "0x12345678u"))
    for second, refused in (("one", False), ("other", True)):
        (tmp_path / "main.c").write_text(f'#include "one/{header}"\n#include "{second}/{header}"\n')
        command = ["cc", "-std=c99", "-fsyntax-only", "main.c"]
        made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (made.returncode != 0, "two kits of one prefix" in made.stderr) == (refused, refused)


@pytest.mark.parametrize(
    "name",
    ["", "Digits", "1st", "_a", "a_", "a__b", "a-b", "é", "a\n", "a" * 33, "int", "xor_eq"],
)
def test_what_no_name_can_begin_with_is_no_prefix(name):
    with pytest.raises(KitError, match="--prefix"):
        Prefix(name)


def test_a_wrong_prefix_is_refused_before_the_work(keraport, tmp_path):
    result = keraport("edge", tmp_path / "nothing", "--out", tmp_path / "kit", "--prefix", "two words")
    assert result.returncode == 2
    assert "'two words' is no prefix: give --prefix up to 32 lower case letters" in result.stderr
    assert not list(tmp_path.iterdir())


def test_no_prefix_gives_a_name_that_another_gives_too(kit):
    names = {name for listed in names_of(kit).values() for name in listed}
    names |= set(re.findall(r"\bmodel_(?!\w*\.)\w+", (kit / "infer.h").read_text()))
    rest = {name.lower().removeprefix("model_") for name in names}
    clashing = {name.removesuffix(f"_{end}") for name in rest for end in rest if name.endswith(f"_{end}")}
    assert {"golden", "input", "output", "tflm"} < clashing
    for words in clashing:
        with pytest.raises(KitError, match="with which names of two kits can clash"):
            Prefix(f"m_{words}")


def test_what_users_have_named_stays(tmp_path):
    source = '/* model_a: model_data.c, -DMODEL_B=1 */\n#define MODEL_B "model_b MODEL_B /*"\nint model_b;\n'
    (tmp_path / "a.h").write_text(source)
    set_prefix(tmp_path, Prefix("x"))
    assert (tmp_path / "a.h").read_text() == (
        '/* model_a: model_data.c, -DX_B=1 */\n#define X_B "model_b MODEL_B /*"\nint x_b;\n'
    )
