"""tf2onnx without chance: it walks through sets of names, whose order is the process's hash seed."""

import sys
from collections.abc import Iterable, Iterator, MutableSet
from contextlib import contextmanager
from typing import Any


class OrderedSet(MutableSet[Any]):
    """A set that is walked through in the order in which its members came."""

    def __init__(self, members: Iterable[Any] = ()) -> None:
        self._members = dict.fromkeys(members)

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def add(self, value: Any) -> None:  # noqa: ANN401  (anything hashable)
        """Append a member, unless it is there."""
        self._members[value] = None

    def discard(self, value: Any) -> None:  # noqa: ANN401  (anything hashable)
        """Take a member out, if it is there."""
        self._members.pop(value, None)

    def update(self, *others: Iterable[Any]) -> None:
        """Append all members of others."""
        for other in others:
            self._members.update(dict.fromkeys(other))

    def union(self, *others: Iterable[Any]) -> "OrderedSet":
        """The members of all."""
        joined = OrderedSet(self)
        joined.update(*others)
        return joined

    def intersection(self, other: Iterable[Any]) -> "OrderedSet":
        """The members that are in the other too."""
        kept = set(other)
        return OrderedSet(member for member in self if member in kept)

    def difference(self, other: Iterable[Any]) -> "OrderedSet":
        """The members that are not in the other."""
        dropped = set(other)
        return OrderedSet(member for member in self if member not in dropped)

    def issubset(self, other: Iterable[Any]) -> bool:
        """Whether the other has all members."""
        return self <= OrderedSet(other)

    def copy(self) -> "OrderedSet":
        """Another set with the same members."""
        return OrderedSet(self)


@contextmanager
def insertion_order() -> Iterator[None]:
    """Give the modules of tf2onnx sets that keep their order, for the time of a conversion."""
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "tf2onnx"]
    for module in modules:
        vars(module)["set"] = OrderedSet
    try:
        yield
    finally:
        for module in modules:
            vars(module).pop("set", None)
