"""The examples of the client's page run as they stand, against a server of `mnist`."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory, publish_classifier, start_server):
    repository = tmp_path_factory.mktemp("mnist")
    publish_classifier(repository, "mnist")
    return start_server(repository)


def test_the_examples(server, images, classifier, capsys):
    examples = [each for each in EXAMPLES if "example.org" not in each]
    assert len(examples) == 4
    names = {"images": images % 255}
    for example in examples:
        exec(compile(example.replace("127.0.0.1:8001", server.url), str(PAGE), "exec"), names)  # noqa: S102
    expected = classifier.expected(names["images"])
    best = expected["logits"].argmax(axis=1)
    assert names["classes"].tolist() == best.tolist()
    assert [result.outputs["logits"].argmax() for result in names["results"]] == best.tolist()
    printed = capsys.readouterr().out.splitlines()
    labels = [
        f"{'abcdefghij'[index]} {row[index]:.1%}"
        for index, row in zip(best, expected["probabilities"], strict=True)
    ]
    assert printed[:5] == labels
    assert sorted(printed[5:]) == [f"{position} {index}" for position, index in enumerate(best)]
