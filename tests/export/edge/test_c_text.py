"""Pieces of C source, read back by a compiler."""

import itertools

import numpy as np
import pytest

from export.edge.c_text import c_comment, c_float, c_string

TEXT = 'a "quoted" \\ back, ??= trigraph, é and \t \x01, 7 after an escape: \x017'


def test_a_text_comes_back_as_it_was(run_c):
    result = run_c(
        f"#include <stdio.h>\nint main(void) {{ return fputs({c_string(TEXT)}, stdout) == EOF; }}\n"
    )
    assert result.stdout == TEXT


@pytest.mark.parametrize("value", [1.0, 1 / 255, 0.22903913259506226, 3e-9, 2.5e20, 16777216.0])
def test_a_float_comes_back_to_the_last_bit(run_c, value):
    source = f'#include <stdio.h>\nint main(void) {{ return printf("%a", (double){c_float(value)}) < 0; }}\n'
    assert float.fromhex(run_c(source).stdout) == np.float32(value)


def test_no_text_can_leave_a_comment_or_continue_its_line():
    for length in range(1, 6):
        for characters in itertools.product("*/\\?\n", repeat=length):
            assert not set(c_comment("".join(characters))) & set("*/\\?\n")


def test_a_name_with_code_in_it_stays_a_comment(run_c):
    text = c_comment('*\\ int main(void) { return 1; } \\*\n*/#error "out"\n \\')
    assert run_c(f"/* {text} */\nint main(void) {{ return 0; }}\n").returncode == 0
    assert run_c(f"// {text}\nint main(void) {{ return 0; }}\n").returncode == 0
