"""What holds for every command: one line for a wrong command line, and the exit code."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "No such command 'nonsense': see"),
        (["train", "--epochs", "0"], "Invalid value for '--epochs'"),
        (["train", "--bogus"], "No such option: --bogus"),
        (["serve", "--port", "x"], "Invalid value for '--port'"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(keraport, arguments, told):
    result = keraport(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert told in line


def test_no_command_at_all_shows_the_help(keraport):
    result = keraport()
    assert result.returncode == 2
    assert "Commands:" in result.stderr
    assert keraport("--version").stdout.startswith("keraport ")
