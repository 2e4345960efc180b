"""Which output the data speak of, and what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from export.parity.faults import find_target_fault, trimmed
from export.parity.outputs import deciding_output, same_head
from export.verdict import TargetKind

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """What the data say about one output.

    Attributes:
        kind: how to read the values.
        values: `class`: (samples,) whole-number class indices; for a binary head, 0 and 1. `multi_label`:
            (samples, labels) of 0 and 1. `values`: numbers of the output's shape.
    """

    kind: TargetKind
    values: NDArray[Any]


def assign_targets(
    reference: Arrays, candidate: Arrays, targets: Mapping[str, Targets]
) -> tuple[dict[str, Targets], str | None]:
    """Give each output its targets.

    Args:
        reference: output name to (samples, ...) array.
        candidate: the same names, or some of them.
        targets: by output name; an only entry under the name "" belongs to the deciding output.

    Returns:
        Targets by output name, and None; or, if they do not fit, what is wrong in one line.
    """
    if "" in targets:
        if len(targets) > 1:
            return {}, "targets without an output's name stand beside others: name them all"
        only = targets[""]
        owner = _owner(reference, candidate, only)
        if owner is None:
            return {}, (
                f"the targets of kind {only.kind} and shape {only.values.shape} fit no single output: name it"
            )
        targets = {owner: only}
    owned: dict[str, Targets] = {}
    for name, wanted in targets.items():
        if name not in reference:
            return {}, f"there are targets for {name}, which is no output"
        fault = find_target_fault(name, reference[name], wanted.kind, wanted.values)
        if fault is not None:
            return {}, fault
        holders = [
            other
            for other in candidate
            if other == name
            or (
                other not in targets
                and wanted.kind is not TargetKind.VALUES
                and same_head(reference[name], reference[other])
            )
        ]
        if not holders:
            return {}, f"output {name} has targets, but the candidate does not return it"
        owned |= dict.fromkeys(holders, wanted)
    return owned, None


def _owner(reference: Arrays, candidate: Arrays, targets: Targets) -> str | None:
    """The output that targets without a name belong to."""
    deciding = deciding_output(reference, candidate)
    if targets.kind is TargetKind.CLASS:
        one_each = [name for name in sorted(candidate) if reference[name].size == len(reference[name])]
        if deciding is not None or len(candidate) == 1:
            return deciding or next(iter(candidate))
        return one_each[0] if len(one_each) == 1 else None
    shape = trimmed(targets.values)
    fitting = [name for name in sorted(candidate) if trimmed(reference[name]) == shape]
    if len(fitting) > 1 and all(same_head(reference[fitting[0]], reference[name]) for name in fitting[1:]):
        return deciding if deciding in fitting else fitting[0]
    return fitting[0] if len(fitting) == 1 else None
