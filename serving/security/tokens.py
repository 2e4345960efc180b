"""Bearer tokens from a file.

A line is `SCOPE[,SCOPE] TOKEN`; what follows a `#` at its beginning, and empty lines, are skipped:

    # the web shop
    infer  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    admin  Zk3vQ8bGm2Tt0LwYxJ1nRc

A token is 16 to 512 of the characters that RFC 6750 allows, or stands as the SHA-256 of them.
"""

import hashlib
import hmac
import logging
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.errors import Forbidden, SecurityError, Unauthenticated
from serving.security.files import Stamp, read_small, stamp, warn_if_open
from serving.security.scopes import Scope

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 1024 * 1024

# Each request is compared with all of them.
MAX_TOKENS = 256

TOKEN = re.compile(r"(?=.{16,512}\Z)[A-Za-z0-9._~+/-]+=*")
DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})")
BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+) *")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One token, known by its SHA-256 alone."""

    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]


def only(authorizations: Sequence[str]) -> str | None:
    """The header, if it came once; several would leave open which one counts."""
    return authorizations[0] if len(authorizations) == 1 else None


class Tokens:
    """Says whether a request may be answered.

    The file is read again when it changes. If it is then damaged or gone, the tokens known before stay good,
    and one line in the log says so.
    """

    def __init__(self, path: Path, *, every_s: float = 1.0) -> None:
        """Read the file.

        Args:
            path: of the tokens.
            every_s: how soon a change is looked for again, in seconds.

        Raises:
            SecurityError: it cannot be read, or a line of it is wrong.
        """
        self._path = path
        self._every_s = every_s
        self._looked = time.monotonic()
        self._stamp: Stamp = stamp(path)
        self._entries = _read(path)

    def check(self, authorization: str | None, scope: Scope) -> None:
        """Let a request pass, or not.

        Args:
            authorization: the value of its header of this name; None without.
            scope: what it needs.

        Raises:
            Unauthenticated: no token, or none that is known.
            Forbidden: the token lacks the scope.
        """
        self._refresh()
        bearer = BEARER.fullmatch(authorization or "")
        if bearer is None:
            raise Unauthenticated("a token is needed: send it as `authorization: Bearer TOKEN`")
        digest = hashlib.sha256(bearer[1].encode("utf-8", "surrogateescape")).digest()
        scopes: frozenset[Scope] | None = None
        # To the end, so that the time taken does not tell which token is near.
        for entry in self._entries:
            if hmac.compare_digest(entry.digest, digest):
                scopes = entry.scopes
        if scopes is None:
            raise Unauthenticated("the token is not known: ask whoever runs the server for one")
        if not any(each.covers(scope) for each in scopes):
            raise Forbidden(f"the token lacks the scope `{scope}`: ask whoever runs the server for it")

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked < self._every_s:
            return
        self._looked = now
        seen = stamp(self._path)
        if seen == self._stamp:
            return
        self._stamp = seen
        try:
            self._entries = _read(self._path)
        except SecurityError as error:
            log.error("the tokens known before stay good: %s", error)
        else:
            log.info("%s was read again: %d tokens", self._path, len(self._entries))


def _read(path: Path) -> tuple[_Entry, ...]:
    try:
        lines = read_small(path, MAX_FILE_BYTES).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise SecurityError(f"{path} is no file of tokens: it has bytes that are not ASCII") from error
    entries: dict[bytes, _Entry] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            entry = _entry(line, f"{path} line {number}")
            if entry.digest in entries:
                raise SecurityError(f"{path} line {number} has a token a second time: remove one")
            entries[entry.digest] = entry
    if not 1 <= len(entries) <= MAX_TOKENS:
        raise SecurityError(f"{path} has {len(entries)} tokens: name 1 to {MAX_TOKENS}")
    warn_if_open(path, stat.S_IROTH)
    return tuple(entries.values())


def _entry(line: str, place: str) -> _Entry:
    """Read a line; no message quotes it, for whatever is wrong in it may be a token."""
    words = line.split()
    known = ", ".join(Scope)
    if len(words) != 2:  # noqa: PLR2004  (scopes and token)
        raise SecurityError(f"{place} is not `SCOPES TOKEN`, such as `infer TOKEN`")
    try:
        scopes = frozenset(Scope(word) for word in words[0].split(","))
    except ValueError:
        # Without the cause, whose text quotes the word.
        raise SecurityError(f"{place} names a scope that is none of: {known}") from None
    if digest := DIGEST.fullmatch(words[1]):
        return _Entry(digest=bytes.fromhex(digest[1]), scopes=scopes)
    if not TOKEN.fullmatch(words[1]):
        raise SecurityError(
            f"{place} has no good token: give 16 to 512 of A-Z a-z 0-9 . _ ~ + / - "
            "(`openssl rand -base64 32` makes one), or `sha256:` and the 64 hex digits of its digest"
        )
    return _Entry(digest=hashlib.sha256(words[1].encode()).digest(), scopes=scopes)
