"""Steps in processes of their own, called as the pipeline calls them."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from export.custom import trust
from export.errors import ConversionError, SourceError, WorkerError
from export.exchange import read_arrays, write_arrays
from export.formats import Format
from export.isolation import Workers
from export.reference import ReferenceKind, ReferenceModel
from export.steps import ConvertOrder, PrepareOrder, convert, prepare


@pytest.fixture
def order(tmp_path, run_directory):
    """Run the session's checkpoint on ten black images."""
    data = write_arrays(tmp_path / "data", {"test/x": np.zeros((10, 28, 28, 1), np.uint8)})
    model = ReferenceModel(path=run_directory / "best.keras", kind=ReferenceKind.KERAS, sha256="0" * 64)
    return PrepareOrder(
        model=model, data=data, out=tmp_path / "out", source="ten", data_sha256="1" * 64, labels=()
    )


def with_code(order, tmp_path, code):
    """The same order, whose process first runs some code of the user's own."""
    (tmp_path / "own.py").write_text(code)
    return replace(order, model=replace(order.model, custom=trust(tmp_path / "own.py")))


def test_a_result_comes_back(order, tmp_path):
    with Workers(tmp_path) as workers:
        prepared = workers.call(prepare, order)
    assert [(info.name, info.datatype, info.shape) for info in prepared.inputs] == [
        ("image", "UINT8", (-1, 28, 28, 1))
    ]
    assert {info.name: info.meaning for info in prepared.outputs} == {
        "logits": "logits",
        "probabilities": "probabilities",
    }
    assert read_arrays(order.out, "answer")["logits"].shape == (10, 10)


def test_an_error_comes_back_as_itself(order, tmp_path):
    with (
        Workers(tmp_path) as workers,
        pytest.raises(SourceError, match=r"there is no|no \.keras file"),
    ):
        workers.call(prepare, replace(order, model=replace(order.model, path=tmp_path / "none.keras")))
    missing = ConvertOrder(
        format=Format.TFLITE_INT8,
        checkpoint=order.model.path,
        custom=None,
        data=order.data,
        folder=tmp_path,
        labels=(),
        keep_float=(),
        quantizer="tensorflow",
    )
    with Workers(tmp_path) as workers, pytest.raises(ConversionError, match="needs training samples"):
        workers.call(convert, missing)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "import os, signal; print('last words', flush=True); os.kill(os.getpid(), signal.SIGSEGV)",
            "SIGSEGV",
        ),
        ("import os; print('last words', flush=True); os.abort()", "SIGABRT"),
        (
            "import os, signal; print('last words', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
            "memory",
        ),
        ("import os; print('last words', flush=True); os._exit(7)", "exit code 7"),
    ],
)
def test_a_crash_is_told_with_the_end_of_its_log(order, tmp_path, code, told):
    with Workers(tmp_path) as workers, pytest.raises(WorkerError, match=told) as caught:
        workers.call(prepare, with_code(order, tmp_path, code))
    assert "last words" in caught.value.log


def test_a_hang_ends_at_the_time_limit(order, tmp_path):
    hanging = with_code(order, tmp_path, "import time; time.sleep(1000)")
    with Workers(tmp_path, time_limit_s=8) as workers, pytest.raises(WorkerError, match="within 8 s"):
        workers.call(prepare, hanging)


def test_stopping_ends_what_runs_and_refuses_what_comes(order, tmp_path):
    hanging = with_code(order, tmp_path, "print('asleep', flush=True); import time; time.sleep(1000)")
    raised = []

    def run():
        with pytest.raises(WorkerError, match="memory") as caught:
            workers.call(prepare, hanging)
        raised.append(caught.value)

    with Workers(tmp_path) as workers:
        thread = threading.Thread(target=run)
        thread.start()
        log = tmp_path / "worker-0.log"
        while not (log.exists() and "asleep" in log.read_text()):
            time.sleep(0.05)
        workers.stop()
        thread.join(timeout=30)
        assert raised
        with pytest.raises(WorkerError, match="being stopped"):
            workers.call(prepare, order)


def test_code_that_changed_since_it_was_trusted_is_not_run(order, tmp_path):
    changed = with_code(order, tmp_path, "x = 1")
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with Workers(tmp_path) as workers, pytest.raises(SourceError, match="changed while it was used"):
        workers.call(prepare, changed)
    assert not (tmp_path / "ran").exists()


def test_arrays_come_back_with_their_names_and_bytes(tmp_path):
    arrays = {
        "test/a b/../c": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "test/x": np.zeros((0, 2), np.float16),
        "answer/": np.array([True, False]),
    }
    folder = write_arrays(tmp_path / "arrays", arrays)
    assert {path.parent for path in folder.rglob("*")} == {folder}
    test = read_arrays(folder, "test")
    assert list(test) == ["a b/../c", "x"]
    for name, array in test.items():
        np.testing.assert_array_equal(array, arrays[f"test/{name}"])
        assert array.dtype == arrays[f"test/{name}"].dtype
    assert read_arrays(folder, "answer")[""].tolist() == [True, False]
