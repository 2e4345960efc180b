"""Translations of TensorFlow's operators that tf2onnx has not, or makes too much of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FLOATS = {10: np.float16, 11: np.float64}  # ONNX's numbers of types; float32 is the rule
EQUATION = 2  # operands of the einsums that are translated here


def translate_erfc(context: Any, node: Any, name: str, _: Any) -> None:  # noqa: ANN401  (tf2onnx has no types)
    """GELU's complementary error function, which ONNX has not: 1 - Erf(x)."""
    _with_one(context, node, name, "Erf", one_first=True)


def translate_expm1(context: Any, node: Any, name: str, _: Any) -> None:  # noqa: ANN401  (tf2onnx has no types)
    """CELU's exponential, which ONNX has not: Exp(x) - 1, within 1e-7 of it."""
    _with_one(context, node, name, "Exp", one_first=False)


def _with_one(context: Any, node: Any, name: str, operator: str, *, one_first: bool) -> None:  # noqa: ANN401
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    inputs, outputs = list(node.input), list(node.output)
    context.remove_node(node.name)
    one = context.make_const(f"{name}/one", np.array(1, FLOATS.get(dtype, np.float32))).output[0]
    part = f"{name}/{operator}"
    value = context.make_node(operator, inputs, name=part, shapes=[shape], dtypes=[dtype]).output[0]
    operands = [one, value] if one_first else [value, one]
    context.make_node("Sub", operands, name=name, outputs=outputs, shapes=[shape], dtypes=[dtype])


def translate_einsum(context: Any, node: Any, name: str, _: Any) -> None:  # noqa: ANN401  (tf2onnx has no types)
    """An einsum of two operands as one MatMul between Transposes and Reshapes.

    tf2onnx takes apart any einsum, at the cost of some thirty nodes and seconds for an attention layer.
    """
    from tf2onnx.onnx_opset.math import Einsum

    equation = node.get_attr_value("equation").decode().replace(" ", "")
    shapes = [context.get_shape(operand) for operand in node.input]
    plan = _plan(equation, shapes)
    if plan is None:
        Einsum.version_12(context, node)
        return
    dtype, outputs, inputs = context.get_dtype(node.output[0]), list(node.output), list(node.input)
    shape = context.get_shape(node.output[0])
    context.remove_node(node.name)

    def step(kind: str, operands: list[str], part: str, **attributes: list[int]) -> str:
        made = context.make_node(kind, operands, attr=attributes, name=f"{name}/{part}", dtypes=[dtype])
        return str(made.output[0])

    def reshape(operand: str, part: str, sizes: list[int]) -> str:
        target = context.make_const(f"{name}/{part}/shape", np.array(sizes, np.int64)).output[0]
        return step("Reshape", [operand, target], part)

    factors = []
    for side, operand, (order, sizes) in zip(("left", "right"), inputs, plan.operands, strict=True):
        result = operand
        if order != sorted(order):
            result = step("Transpose", [result], f"{side}_transpose", perm=order)
        if sizes is not None:
            result = reshape(result, f"{side}_reshape", sizes)
        factors.append(result)
    result = step("MatMul", factors, "product")
    if plan.sizes is not None:
        result = reshape(result, "reshape", plan.sizes)
    last = {"perm": plan.order}
    context.make_node(
        "Transpose", [result], attr=last, name=name, outputs=outputs, shapes=[shape], dtypes=[dtype]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How to compute an einsum by MatMul.

    Attributes:
        operands: of each, the order of axes to transpose to, and the shape to merge axes by, if any.
        sizes: the shape that splits the product's merged axes again, if any.
        order: of the product's axes in the answer.
    """

    operands: tuple[tuple[list[int], list[int] | None], ...]
    sizes: list[int] | None
    order: list[int]


def _plan(equation: str, shapes: Sequence[Sequence[int] | None]) -> _Plan | None:
    """The plan for `ab..,bc..->..`; None for what needs more than one MatMul, or has too many free sizes."""
    terms, arrow, answer = equation.partition("->")
    letters = terms.split(",")
    if not arrow or len(letters) != EQUATION or "." in equation or None in shapes:
        return None
    left, right = letters
    if any(len(set(term)) < len(term) for term in (left, right, answer)):
        return None
    sizes = _sizes(letters, shapes)
    batch = [letter for letter in answer if letter in left and letter in right]
    rows = [letter for letter in answer if letter in left and letter not in right]
    columns = [letter for letter in answer if letter in right and letter not in left]
    summed = [letter for letter in left if letter in right and letter not in answer]
    complete = len(batch + rows + summed) == len(left) and len(batch + columns + summed) == len(right)
    if not summed or not columns or not complete:
        return None
    # A matrix on the right is multiplied with each of the rows, however many axes these have.
    row_groups = [rows] if batch or not rows else [[letter] for letter in rows]
    try:
        leading = [[letter] for letter in batch]
        operands = (
            _merged([*leading, *row_groups, summed], left, sizes),
            _merged([*leading, summed, columns], right, sizes),
        )
        split = _split([*leading, *row_groups, columns], sizes)
    except ValueError:
        return None
    product = [*batch, *rows, *columns]
    return _Plan(operands=operands, sizes=split, order=[product.index(letter) for letter in answer])


def _sizes(terms: list[str], shapes: Sequence[Sequence[int] | None]) -> dict[str, int]:
    """The size of each letter, -1 where it is free in all terms."""
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape or (), strict=True):
            if sizes.get(letter, -1) == -1:
                sizes[letter] = -1 if size is None else size
    return sizes


def _merged(groups: list[list[str]], term: str, sizes: dict[str, int]) -> tuple[list[int], list[int] | None]:
    """The order of a term's axes by groups, and the shape with each group merged, an empty one to 1."""
    order = [term.index(letter) for group in groups for letter in group]
    if all(len(group) == 1 for group in groups):
        return order, None
    place = 0
    target: list[int] = []
    for group in groups:
        merged = int(np.prod([sizes[letter] for letter in group])) if _all_known(group, sizes) else -1
        # As long as nothing was merged, 0 copies the axis at the same place.
        target.append(0 if merged == -1 and len(group) == 1 and place == len(target) else merged)
        place += len(group)
    return order, _one_free(target)


def _split(groups: list[list[str]], sizes: dict[str, int]) -> list[int] | None:
    """The shape that gives each letter of merged groups its own axis."""
    if all(len(group) == 1 for group in groups):
        return None
    target: list[int] = []
    for place, group in enumerate(groups):
        for letter in group:
            copied = sizes[letter] == -1 and len(group) == 1 and place == len(target)
            target.append(0 if copied else sizes[letter])
    return _one_free(target)


def _all_known(group: list[str], sizes: dict[str, int]) -> bool:
    return all(sizes[letter] != -1 for letter in group)


def _one_free(target: list[int]) -> list[int]:
    if target.count(-1) > 1:
        raise ValueError("more than one free size")
    return target


HANDLERS: dict[str, tuple[Any, list[Any]]] = {
    "Einsum": (translate_einsum, []),
    "Erfc": (translate_erfc, []),
    "Expm1": (translate_expm1, []),
}
