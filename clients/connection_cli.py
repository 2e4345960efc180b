"""The options of every command that talks to a server, apart from its address."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clients.connection import Security

Url = Annotated[str, typer.Option(help="The server's gRPC address, HOST:PORT.")]

TOKEN_VARIABLE = "KERAPORT_TOKEN"  # noqa: S105  (a name)
MAX_TOKEN_BYTES = 16 * 1024


def secured(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for TLS and tokens, and hand it what they say as `security`."""
    known = inspect.signature(command).parameters.values()
    options = inspect.signature(_security).parameters

    @functools.wraps(command)
    def run(*arguments: Any, **given: Any) -> None:  # noqa: ANN401  (whatever the command takes)
        security = _security(**{name: given.pop(name) for name in options})
        command(*arguments, **given, security=security)

    # Where Typer reads the options from.
    own = [each for each in known if each.name != "security" and each.kind is not each.VAR_KEYWORD]
    signature = inspect.Signature([*own, *options.values()])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    return run


def _security(
    *,
    tls: Annotated[bool, typer.Option("--tls", help="Use TLS; the options below do, too.")] = False,
    tls_ca: Annotated[
        Path | None, typer.Option(help="Who must have signed the server's certificate, PEM.")
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option("--tls-certificate", "--tls-cert", help="The certificate to show the server, PEM."),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help=f"A file with the token to send; by default ${TOKEN_VARIABLE}.")
    ] = None,
    allow_insecure_token: Annotated[
        bool, typer.Option("--allow-insecure-token", help="Send it to other machines without TLS, too.")
    ] = False,
) -> "Security":
    from clients.connection import Security, Tls

    wanted = tls or tls_ca or tls_certificate or tls_key
    return Security(
        tls=Tls(ca=tls_ca, certificate=tls_certificate, key=tls_key) if wanted else None,
        token=_token(token_file),
        allow_insecure_token=allow_insecure_token,
    )


def _token(file: Path | None) -> str | None:
    import os

    from clients.errors import InputError
    from clients.names import printable

    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_TOKEN_BYTES + 1)
        if len(content) > MAX_TOKEN_BYTES:
            raise ValueError("too long")
        return content.decode("ascii").strip()
    except OSError as error:
        raise InputError(
            f"{printable(file)} cannot be read ({error.strerror}): name a token's file"
        ) from error
    except ValueError as error:
        raise InputError(f"{printable(file)} holds no token: name a file with a token alone") from error
