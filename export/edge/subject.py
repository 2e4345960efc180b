"""The model that a kit is made of: a published version whose int8 file has passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.artifacts import verify_artifact
from export.check import Target, find_target
from export.errors import KitError, SourceError
from export.formats import Format
from export.inspecting.contents import OperatorFacts, TensorFacts
from export.inspecting.tflite_file import inspect_tflite
from export.manifest import Artifact, Manifest
from export.verdict import Verdict

INT8 = "int8"
PIXEL_SCALE, PIXEL_ZERO_POINT = 1.0, -128


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """The input or output of an int8 file: a value is (number - zero_point) * scale.

    Attributes:
        name: as the model's signature has it.
        shape: the batch of 1 first.
        scale, zero_point: of its numbers.
    """

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def bytes(self) -> int:
        """How many it takes."""
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What every room of the kit needs of the model.

    Attributes:
        target: the published version.
        folder: of it.
        manifest: of it.
        artifact: the row of its int8 file.
        path: of that file.
        input, output: of that file.
        operators: of that file, each with its version and count.
        pixels: whether the input takes raw pixels, each as pixel - 128.
    """

    target: Target
    folder: Path
    manifest: Manifest
    artifact: Artifact
    path: Path
    input: Tensor
    output: Tensor
    operators: tuple[OperatorFacts, ...]
    pixels: bool

    @property
    def sha256(self) -> str:
        """Of the int8 file."""
        assert self.artifact.sha256 is not None  # noqa: S101  (it has been verified against it)
        return self.artifact.sha256

    @property
    def title(self) -> str:
        """Model and version, for people."""
        return f"{self.manifest.model} version {self.manifest.version}"

    @property
    def classes(self) -> int | None:
        """How many classes the output scores; None if it is no classifier's."""
        count = len(self.manifest.labels)
        return count if count and self.output.bytes == count else None

    def others(self) -> dict[Format, Path]:
        """The files beside the int8 one that a kit carries, where they have passed."""
        wanted = (Format.TFLITE_UINT8, Format.TFLITE)
        return {
            artifact.format: verify_artifact(self.folder, artifact)
            for artifact in self.manifest.artifacts
            if artifact.format in wanted and artifact.verdict is Verdict.PASS and artifact.path is not None
        }


def find_subject(path: Path) -> Subject:
    """Read a published version for a kit.

    Args:
        path: of the version, its model or a repository (the newest version is taken).

    Raises:
        SourceError: it is none.
        ManifestError: it is not what its manifest says, or ships no int8 file.
        KitError: its int8 file has not passed, or no kit can be made of its inputs and outputs.
    """
    target = find_target(path)
    manifest, folder = target.manifest, target.folder
    if manifest is None or folder is None or path.is_file():
        raise SourceError(f"{path} is no published version: name its folder, such as models/mnist/1")
    artifact = manifest.artifact(Format.TFLITE_INT8)
    if artifact.verdict is not Verdict.PASS:
        raise KitError(
            f"the int8 file of {folder} is not proven ({artifact.verdict}: {artifact.reason}): "
            "export the model again, or give more test data"
        )
    file = verify_artifact(folder, artifact)
    contents = inspect_tflite(file)
    given = _only(contents.inputs, "input", folder)
    return Subject(
        target=target,
        folder=folder,
        manifest=manifest,
        artifact=artifact,
        path=file,
        input=given,
        output=_only(contents.outputs, "output", folder),
        operators=contents.operators,
        pixels=manifest.inputs[0].datatype == "UINT8"
        and (given.scale, given.zero_point) == (PIXEL_SCALE, PIXEL_ZERO_POINT),
    )


def _only(tensors: Sequence[TensorFacts], what: str, folder: Path) -> Tensor:
    if len(tensors) != 1:
        names = ", ".join(tensor.name for tensor in tensors)
        raise KitError(
            f"the int8 file of {folder} has {len(tensors)} {what}s ({names}): a kit takes models with one"
        )
    (found,) = tensors
    if found.dtype != INT8 or found.scale is None or found.zero_point is None:
        raise KitError(
            f"{what} {found.name} of the int8 file of {folder} is {found.dtype}: a kit takes int8 ones, "
            "so export the model without --keep-float, with inputs that quantize"
        )
    shape = tuple(int(size) for size in found.shape or ())
    return Tensor(name=found.name, shape=shape, scale=found.scale, zero_point=found.zero_point)
