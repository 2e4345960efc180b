"""Texts that come with data, as a terminal may show them."""


def printable(text: str) -> str:
    r"""The text with what would steer a terminal written out, an escape character as `\x1b`."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
