"""Where a candidate goes wrong: the signal-to-noise ratio, layer by layer, against the reference's layers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.explaining.tracing import Trace
from export.formats import Tier

CEILING_DB = 200.0  # of equal tensors, whose ratio is infinite

# Below these a layer is broken: far under what rounding to the tier's numbers leaves (fp32 about 130 dB,
# fp16 about 60 dB, int8 20 to 40 dB), far above what a wrong weight or scale does.
FLOORS_DB: Mapping[Tier, float] = {Tier.LOSSLESS: 80.0, Tier.HALF: 40.0, Tier.QUANTIZED: 12.0}
SLIGHT_DB = 1.0  # a fall that is not worth telling
DOUBTLESS_DB = 20.0  # two tensors of one shape that are this close are the same layer


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """One layer of the reference, and what became of it.

    Attributes:
        layer: its name.
        tensor: the candidate's tensor for it.
        snr_db: signal-to-noise ratio in decibels, 10 log10(sum reference² / sum (candidate - reference)²).
        fall_db: how far it lies under the lowest one before; 0 if it does not.
    """

    layer: str
    tensor: str
    snr_db: float
    fall_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Where the noise comes from.

    Attributes:
        layers: those that were found in the candidate, in the order in which they are computed.
        unmatched: layers of the reference that the candidate fused with others, or computes otherwise.
        broken: the first layer under the tier's floor; None if none is.
        noisiest: the layer with the largest fall; None without layers.
        floor_db: the tier's floor.
        samples: how many were traced.
    """

    layers: tuple[LayerNoise, ...]
    unmatched: tuple[str, ...]
    broken: str | None
    noisiest: str | None
    floor_db: float
    samples: int

    @property
    def summary(self) -> str:
        """One line that says it."""
        if not self.layers:
            return "no layer of the reference could be found in the candidate"
        if self.broken is not None:
            row = next(row for row in self.layers if row.layer == self.broken)
            return (
                f"{row.layer} is the first layer to break: {row.snr_db:.1f} dB, under {self.floor_db:g} dB; "
                f"keep it out of quantization with --keep-float {row.layer}, or look at its weights"
            )
        row = next(row for row in self.layers if row.layer == self.noisiest)
        left = "leaves all equal" if row.snr_db >= CEILING_DB else f"leaves {row.snr_db:.1f} dB"
        return f"no layer breaks (all over {self.floor_db:g} dB); most noise is {row.layer}'s, which {left}"


def explain(reference: Trace, candidate: Trace, tier: Tier) -> Explanation:
    """Compare two models layer by layer.

    Args:
        reference: layer name to (samples, ...) array, in the order in which they are computed.
        candidate: tensor name to array of the same samples.
        tier: of the candidate, whose floor applies.
    """
    rows: list[LayerNoise] = []
    unmatched: list[str] = []
    lowest = CEILING_DB
    owners = _owners(list(reference), candidate)
    for layer, signal in reference.items():
        own = {name: array for name, array in candidate.items() if owners.get(name) == layer}
        found = _closest(signal, own) or _lookalike(signal, candidate)
        if found is None:
            unmatched.append(layer)
            continue
        tensor, ratio = found
        rows.append(LayerNoise(layer=layer, tensor=tensor, snr_db=ratio, fall_db=max(0.0, lowest - ratio)))
        lowest = min(lowest, ratio)
    floor = FLOORS_DB[tier]
    return Explanation(
        layers=tuple(rows),
        unmatched=tuple(unmatched),
        broken=next((row.layer for row in rows if row.snr_db < floor), None),
        noisiest=_noisiest(rows),
        floor_db=floor,
        samples=len(next(iter(reference.values()), ())),
    )


def _noisiest(rows: list[LayerNoise]) -> str | None:
    """The layer with the largest fall; the first one, which falls from nowhere, if no other falls."""
    later = max(rows[1:], key=lambda row: row.fall_db, default=None)
    if later is not None and later.fall_db >= SLIGHT_DB:
        return later.layer
    return rows[0].layer if rows else None


def _owners(layers: list[str], candidate: Trace) -> dict[str, str]:
    """Tensor name to the layer it belongs to: of several that a fused operator names, the last one."""
    patterns = {layer: re.compile(rf"(^|[/;]){re.escape(layer)}(_\d+)?([/;:]|$)") for layer in layers}
    owners = {}
    for tensor in candidate:
        named = [layer for layer, pattern in patterns.items() if pattern.search(tensor)]
        if named:
            owners[tensor] = named[-1]
    return owners


def _lookalike(signal: NDArray[Any], candidate: Trace) -> tuple[str, float] | None:
    """A tensor under another name that is nevertheless this layer's, beyond doubt."""
    found = _closest(signal, candidate)
    return found if found is not None and found[1] > DOUBTLESS_DB else None


def _closest(signal: NDArray[Any], tensors: Trace) -> tuple[str, float] | None:
    """The tensor most like a signal, and their ratio; None if none has its shape."""
    ratios = {
        name: max(snr_db(signal, layout) for layout in layouts)
        for name, array in tensors.items()
        if (layouts := _layouts(array, signal.shape))
    }
    if not ratios:
        return None
    tensor = max(ratios, key=lambda name: ratios[name])
    return tensor, ratios[tensor]


def _layouts(array: NDArray[Any], shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """A tensor in a shape: as it is, with its channels moved to the end, or as a flat row a sample."""
    layouts = [array] if array.shape == shape else []
    if array.ndim > 2:  # noqa: PLR2004  (samples, channels, ...)
        moved = np.moveaxis(array, 1, -1)
        layouts += [moved] if moved.shape == shape else []
    if len(shape) == 2 and array.ndim == 2 and array.size == np.prod(shape):  # noqa: PLR2004
        layouts.append(array.reshape(shape))
    return layouts


def snr_db(signal: NDArray[Any], candidate: NDArray[Any]) -> float:
    """Signal-to-noise ratio in decibels, at most 200; -200 where there is no signal, or no number.

    Args:
        signal: the reference, any shape.
        candidate: the same shape.
    """
    expected = signal.astype(np.float64)
    power = float((expected**2).sum())
    noise = float(((candidate.astype(np.float64) - expected) ** 2).sum())
    if noise == 0:
        return CEILING_DB
    if power == 0 or not np.isfinite(noise):
        return -CEILING_DB
    return float(np.clip(10 * np.log10(power / noise), -CEILING_DB, CEILING_DB))
