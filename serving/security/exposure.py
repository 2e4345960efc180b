"""What a server's settings leave open to strangers."""

import ipaddress

from serving.settings import ServerSettings


def exposures(settings: ServerSettings) -> tuple[str, ...]:
    """A line for each thing that whoever reaches the server's address can do or hear; none on loopback."""
    if _is_loopback(settings.host):
        return ()
    host = settings.host
    lines = []
    certified = settings.tls is not None and settings.tls.client_ca is not None
    if settings.tokens is None and not certified:
        may = "use and unload models" if settings.repository_control else "use models"
        lines.append(
            f"whoever reaches {host} may {may}: give --tokens or --tls-client-ca, "
            "unless the network keeps strangers out"
        )
    if settings.tokens is not None and settings.tls is None:
        lines.append(
            f"tokens come to {host} in the clear: give --tls-certificate and --tls-key, "
            "unless a proxy before the server has them"
        )
    return tuple(lines)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
