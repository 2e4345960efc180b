"""What the names in a kit's C begin with, so that one firmware can hold several kits."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from export.errors import KitError

DEFAULT = "model"
LONGEST = 32
FORM = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")  # C++ keeps names with two underscores to itself
# With one of these words, names of two kits could be the same: model_input's own name would be
# MODEL_INPUT_NAME, as is that of model's input.
TAKEN = frozenset({"abi", "bknn", "golden", "input", "output", "tflite", "tflm"})
KEYWORDS = re.compile(
    r"alignas|alignof|and|and_eq|asm|auto|bitand|bitor|bool|break|case|catch|char|char16_t|char32_t|"
    r"char8_t|class|co_await|co_return|co_yield|compl|concept|const|const_cast|consteval|constexpr|"
    r"constinit|continue|decltype|default|delete|do|double|dynamic_cast|else|enum|explicit|export|"
    r"extern|false|float|for|friend|goto|if|inline|int|long|mutable|namespace|new|noexcept|not|not_eq|"
    r"nullptr|operator|or|or_eq|private|protected|public|register|reinterpret_cast|requires|restrict|"
    r"return|short|signed|sizeof|static|static_assert|static_cast|struct|switch|template|this|"
    r"thread_local|throw|true|try|typedef|typeid|typename|typeof|typeof_unqual|union|unsigned|using|"
    r"virtual|void|volatile|wchar_t|while|xor|xor_eq"
)
# A comment, a literal, or a name of the kit's; of the last the word in front stands by itself.
TOKEN = re.compile(
    r"(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<literal>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|\b(?P<name>(?:model|golden|bknn|MODEL|GOLDEN|BKNN)_\w+)",
    re.DOTALL,
)
# In a comment: also after a compiler's -D, and files keep their names.
SPOKEN_OF = re.compile(r"(?:\b|(?<=-D))(?:model|golden|bknn|MODEL|GOLDEN|BKNN)_\w+\b(?!\.[ch]\b)")


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first word or words of every name; in capitals that of every macro.

    Attributes:
        name: without the underscore that follows it.

    Raises:
        KitError: no name can begin with it, or those of two kits could clash.
    """

    name: str = DEFAULT

    def __post_init__(self) -> None:
        """Check it."""
        if len(self.name) > LONGEST or not FORM.fullmatch(self.name):
            raise KitError(
                f"{self.name[: 2 * LONGEST]!r} is no prefix: give --prefix up to {LONGEST} lower case "
                "letters and digits, first a letter, words joined by one underscore"
            )
        if KEYWORDS.fullmatch(self.name):
            raise KitError(f"{self.name} is a keyword of C or C++: give another --prefix")
        if taken := sorted(TAKEN.intersection(self.name.split("_"))):
            raise KitError(
                f"the prefix {self.name} has the word {taken[0]}, with which names of two kits can clash: "
                "give another --prefix"
            )

    @property
    def capitals(self) -> str:
        """What macros begin with."""
        return self.name.upper()

    def named(self, name: str) -> str:
        """What a name becomes: the generator's and the golden vectors' stay as they are behind the prefix."""
        word, _, rest = name.partition("_")
        front = self.capitals if word.isupper() else self.name
        return f"{front}_{rest if word.lower() == DEFAULT else name}"


def set_prefix(folder: Path, prefix: Prefix) -> None:
    """Give the names in a folder's C and C++ the prefix; what stands in literals, such as labels, stays.

    Args:
        folder: whose files have the names that they are generated with.
        prefix: to begin with.
    """
    paths = [path for path in folder.rglob("*") if path.suffix in {".h", ".c", ".cc"}]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    names = {match["name"] for text in texts.values() for match in TOKEN.finditer(text) if match["name"]}
    for path, text in texts.items():
        path.write_text(_with_prefix(text, prefix, names), encoding="utf-8")


def _with_prefix(text: str, prefix: Prefix, names: Collection[str]) -> str:
    def spoken_of(match: re.Match[str]) -> str:
        return prefix.named(match[0]) if match[0] in names else match[0]  # a model is called model_a, say

    def token(match: re.Match[str]) -> str:
        if match["name"]:
            return prefix.named(match["name"])
        return SPOKEN_OF.sub(spoken_of, match[0]) if match["comment"] else match[0]

    return TOKEN.sub(token, text)
