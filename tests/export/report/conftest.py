"""A report as an export makes it, of made-up answers: the numbers come from the real comparison."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from export.environment import Machine
from export.formats import FORMATS, Format
from export.latency import Latency
from export.manifest import Artifact, DataInfo, TensorInfo
from export.parity.compare import TargetKind, Targets, compare
from export.parity.outputs import softmax
from export.reporting.report import Environment, Occasion, ReferenceInfo, Report
from export.verdict import Verdict, worst

Arrays = Mapping[str, np.ndarray]
MakeArtifact = Callable[..., Artifact]
MakeReport = Callable[..., Report]


@pytest.fixture(scope="session")
def make_artifact() -> MakeArtifact:
    """Compare a candidate's answers with the reference's, as an artifact of a format."""

    def make(
        kind: Format,
        reference: Arrays,
        candidate: Arrays,
        targets: Mapping[str, Targets],
        latency: tuple[float, float] | None = (0.02, 0.3),
        size: int = 412_336,
    ) -> Artifact:
        spec = FORMATS[kind]
        comparison = compare(reference, candidate, targets=targets, tier=spec.tier)
        shipped = comparison.verdict is not Verdict.FAIL
        return Artifact(
            format=kind,
            precision=spec.precision,
            path=spec.path if shipped else None,
            bytes=size if shipped else 0,
            sha256="c" * 64 if shipped else None,
            verdict=comparison.verdict,
            reason=comparison.reason,
            comparison=comparison,
            latency=Latency(one_ms=latency[0], batch_ms=latency[1]) if latency and shipped else None,
        )

    return make


@pytest.fixture(scope="session")
def make_report() -> MakeReport:
    """A report of artifacts; keywords change it."""

    def make(artifacts: tuple[Artifact, ...], **changes: object) -> Report:
        shipped = [artifact.verdict for artifact in artifacts if artifact.path]
        report = Report(
            occasion=Occasion.EXPORT,
            model="digits",
            version=3,
            created="2026-01-02T03:04:05+00:00",
            verdict=worst(shipped),
            reference=ReferenceInfo(name="run fixture-20260102-030405", sha256="a" * 64),
            dataset=DataInfo(name="mnist", sha256="b" * 64, samples=10_000),
            inputs=(TensorInfo(name="image", datatype="UINT8", shape=(-1, 28, 28, 1), meaning="raw pixels"),),
            outputs=(TensorInfo(name="logits", datatype="FP32", shape=(-1, 10), meaning="logits"),),
            labels=tuple("0123456789"),
            required=(Format.ONNX,),
            artifacts=artifacts,
            environment=Environment(
                machine=Machine(cpu="A CPU @ 2 GHz", cores=2, system="Linux 6 x86_64"),
                packages={"python": "3.12.1", "keras": "3.15.0"},
                cpu_flags=("avx2", "ssse3"),
            ),
        )
        return replace(report, **changes)

    return make


class Answers:
    """A ten-class reference, right on about 99 in 100 samples, and candidates near it."""

    def __init__(self, samples: int = 3000) -> None:
        self._random = np.random.default_rng(11)
        self.labels = self._random.integers(0, 10, samples)
        logits = self._random.normal(0, 1.6, (samples, 10))
        logits[np.arange(samples), self.labels] += 8
        self.logits = logits.astype(np.float32)
        self.targets = {"": Targets(kind=TargetKind.CLASS, values=self.labels)}

    def reference(self) -> dict[str, np.ndarray]:
        """Logits and probabilities of the reference."""
        return self.outputs(self.logits)

    def near(self, noise: float, scale: float = 1) -> dict[str, np.ndarray]:
        """The same with noise, as quantization leaves it."""
        return self.outputs(
            (self.logits * scale + self._random.normal(0, noise, self.logits.shape)).astype(np.float32)
        )

    @staticmethod
    def outputs(logits: np.ndarray) -> dict[str, np.ndarray]:
        """Both outputs of a head."""
        return {"logits": logits, "probabilities": softmax(logits).astype(np.float32)}


@pytest.fixture(scope="session")
def answers() -> Answers:
    return Answers()


@pytest.fixture(scope="session")
def digits_report(answers: Answers, make_artifact: MakeArtifact, make_report: MakeReport) -> Report:
    """Ten formats with every verdict."""
    reference = answers.reference()

    def artifact(
        kind: Format, noise: float, one: float, batch: float, size: int, scale: float = 1
    ) -> Artifact:
        candidate = answers.near(noise, scale)
        if FORMATS[kind].integer:
            del candidate["probabilities"]
        return make_artifact(kind, reference, candidate, answers.targets, (one, batch), size)

    return make_report(
        (
            artifact(Format.SAVED_MODEL, 3e-7, 0.312, 0.911, 1_693_112),
            artifact(Format.ONNX, 6e-7, 0.0213, 0.209, 1_653_221),
            artifact(Format.ONNX_INT8, 0.08, 0.0355, 0.402, 425_118),
            artifact(Format.TFLITE, 5e-7, 0.0152, 0.486, 1_652_400),
            artifact(Format.TFLITE_FP16, 4e-4, 0.0153, 0.489, 829_944),
            artifact(Format.TFLITE_DYNAMIC, 0.04, 0.0148, 0.471, 421_776),
            artifact(Format.TFLITE_INT8, 0.12, 0.0312, 0.982, 425_904),
            artifact(Format.TFLITE_UINT8, 0.45, 0.0311, 0.979, 425_904),
            artifact(Format.TFLITE_INT16X8, 0.02, 0.05, 1.6, 433_008, 1.05),
            Artifact(
                format=Format.ONNX_FP16,
                precision="fp16",
                path=None,
                bytes=0,
                sha256=None,
                verdict=Verdict.REFUSED,
                reason="layer conv2d_1 has no float16 kernel: keep it in float with --keep-float conv2d_1",
                log="converting 12 nodes\nNode 7 (Conv): no kernel for float16",
            ),
        )
    )
