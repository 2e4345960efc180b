"""Where a sampled stack belongs: from its innermost frame outward, the first one that has a room decides."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

WAITING, OTHER = "waiting", "other"
CORE, SESSION = "gRPC's core and its Python layer", "onnxruntime's run"

# What a thread is in while it takes no time of a core.
SYSTEM_WAITS = ("epoll_wait", "epoll_pwait", "poll", "ppoll", "select", "syscall", "nanosleep")
LOCK_WAITS = ("pthread_cond_wait", "pthread_cond_timedwait", "PyThread_acquire_lock_timed", "take_gil")
WAITS = frozenset(SYSTEM_WAITS + LOCK_WAITS)
NAMELESS = frozenset({"write"})  # named by what calls it: a descriptor for wake-ups is no socket
INNERMOST = 4  # frames in which a wait is looked for: below it the C library has some without a name

# Kinds of objects in which a stack ends: the kernel's time is seen in what calls it.
KERNEL, REST = "kernel", "Python and the rest"
OBJECTS = (("onnxruntime", "onnxruntime"), ("gRPC", "cygrpc"), (KERNEL, "[kernel"))
KINDS = (*(kind for kind, _ in OBJECTS), REST)
SYSTEM_CALLS = frozenset({"sendmsg", "recvmsg", "send", "recv", "read", "write", "epoll_ctl"})

LOOP = ("serving/rpc/loop.py", "serving/rpc/bell.py")

# Parts of paths. Frames that have none of them belong to their callers: numpy, protobuf, the interpreter.
ROOMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (SESSION, ("/onnxruntime/", "serving/ort_run.py", "serving/session.py")),
    (CORE, ("/grpc/",)),
    (
        "reading the request",
        ("serving/rpc/reader.py", "serving/rpc/requests.py", "serving/codec"),
    ),
    ("writing the answer", ("serving/rpc/answers.py",)),
    (
        "event loop",
        ("/asyncio/", "_asynciomodule.c", "/selectors.py", "selectmodule.c", *LOOP),
    ),
    ("the front: calls, status codes, methods", ("serving/rpc/",)),
    ("engine, batcher, statistics", ("serving/",)),
)
NAMES = (*(name for name, _ in ROOMS), OTHER)


def room_of(frames: list[str]) -> str:
    """The room of a stack.

    Args:
        frames: as py-spy writes them, `name (path:line)`, the outermost first.
    """
    if any(frame.partition(" ")[0] in WAITS for frame in frames[-INNERMOST:]):
        return WAITING
    for frame in reversed(frames):
        path = frame.partition(" (")[2]
        for name, parts in ROOMS:
            if any(part in path for part in parts):
                return name
    return OTHER


def shares(lines: Iterable[str], objects: Mapping[str, float]) -> dict[str, float]:
    """The share of each room in what was sampled while threads did not wait.

    Args:
        lines: of py-spy's raw format: frames with semicolons between, and how often they were seen.
        objects: how much CPU time each kind of shared object took, see `kind_of`; the stacks that end in one
            are weighted to its share, for stopping a process slows some of it more than the rest. Empty: all
            stacks weigh the same.
    """
    counts: dict[tuple[str, str], float] = {}
    for frames, number in _read(lines):
        if (room := room_of(frames)) != WAITING:
            name, _, path = frames[-1].partition(" (")
            key = room, KERNEL if name in SYSTEM_CALLS else kind_of(path)
            counts[key] = counts.get(key, 0.0) + number
    seen = {kind: sum(number for key, number in counts.items() if key[1] == kind) for kind in KINDS}
    weights = {kind: objects.get(kind, 0.0) / seen[kind] for kind in KINDS if seen[kind]} if objects else {}
    weighted = [(room, number * weights.get(kind, 1.0)) for (room, kind), number in counts.items()]
    active = sum(number for _, number in weighted)
    return {
        name: sum(number for room, number in weighted if room == name) / active if active else 0.0
        for name in NAMES
    }


def samples(lines: Iterable[str]) -> int:
    """How many stacks were seen of threads that did not wait."""
    return sum(number for frames, number in _read(lines) if room_of(frames) != WAITING)


def kind_of(path: str) -> str:
    """The kind of a shared object or source file."""
    return next((kind for kind, part in OBJECTS if part in path), REST)


def leaves(lines: Iterable[str], most: int = 8) -> tuple[tuple[str, str, float], ...]:
    """The functions that were seen innermost most often, as far as they have names: room, function, share."""
    counts: Counter[tuple[str, str]] = Counter()
    for frames, number in _read(lines):
        if (room := room_of(frames)) != WAITING:
            counts[room, _function(frames)] += number
    active = counts.total()
    return tuple((*key, number / active) for key, number in counts.most_common(most))


def _function(frames: list[str]) -> str:
    """The innermost name; a shared object's where the functions of one have none."""
    name, _, place = frames[-1].partition(" (")
    if name.startswith("0x"):
        name = place.rstrip(")").rpartition("/")[2].partition(".cpython")[0]
    elif name in NAMELESS and len(frames) > 1:
        return frames[-2].partition(" ")[0]
    return name


def _read(lines: Iterable[str]) -> Iterator[tuple[list[str], int]]:
    for line in lines:
        stack, _, number = line.rstrip().rpartition(" ")
        yield stack.split(";"), int(number)
