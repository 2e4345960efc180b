"""The example of the documentation runs."""

import re
from pathlib import Path

import numpy as np

DOCS = Path(__file__).resolve().parents[3] / "docs" / "rest.md"


def test_the_example_of_binary_data(rest, classifier):
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names = {}
    code = code.replace("127.0.0.1:8000", f"127.0.0.1:{rest.port}").replace("/mnist/", "/digits/")
    exec(code, names)  # noqa: S102  (our own)
    logits, probabilities = np.frombuffer(names["values"], np.float32).reshape(2, 10)
    expected = classifier.expected(np.zeros((1, 28, 28, 1), np.uint8))
    assert [each["name"] for each in names["answer"]["outputs"]] == list(expected)
    np.testing.assert_allclose(logits, expected["logits"][0], atol=1e-4)
    np.testing.assert_allclose(probabilities, expected["probabilities"][0], atol=1e-4)
