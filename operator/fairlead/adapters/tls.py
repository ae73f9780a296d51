"""Certificates from files, as a mounted Secret of the type kubernetes.io/tls has them.

`ca.crt`: whom we trust instead of the public authorities. `tls.crt` and `tls.key`: who we are.
"""

import ssl
from collections.abc import Callable
from pathlib import Path

import httpx

from fairlead.errors import FairleadError, MetricsError

_Seen = tuple[tuple[int, int, int] | None, ...]


class TlsFiles:
    """The context from a folder, made anew when the files there have changed.

    `unusable` makes the error of what is wrong; the text never quotes what the files hold.
    """

    def __init__(self, folder: str, unusable: Callable[[str], FairleadError]) -> None:
        self._folder = Path(folder) if folder else None
        self._unusable = unusable
        self._seen: _Seen = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """The same until the files change; None without a folder; the error of `unusable` when they do not do."""
        if self._folder is None:
            return None
        authorities, certificate, key = paths = [self._folder / name for name in ("ca.crt", "tls.crt", "tls.key")]
        try:
            seen = tuple(_stamp(path) for path in paths)
            if seen != self._seen:
                self._context = _load(*(path if stamp else None for path, stamp in zip(paths, seen, strict=True)))
                self._seen = seen
        except _Missing as error:
            present = ", ".join(path.name for path in (authorities, certificate, key) if path.exists())
            raise self._unusable(
                f"expected ca.crt, or tls.crt and tls.key, or all, in {self._folder}, got {present or 'none of them'}"
            ) from error
        except (OSError, ValueError) as error:
            # An SSLError is an OSError; its reason is a word of OpenSSL's.
            why = getattr(error, "reason", None) or type(error).__name__
            raise self._unusable(f"cannot use the certificates in {self._folder}: {why}") from error
        return self._context


class _Missing(Exception):
    """A certificate without its key, or the other way round, or nothing at all."""


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes when the kubelet has written another file; None: there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _load(authorities: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    if (certificate is None) != (key is None) or not (authorities or certificate):
        raise _Missing
    context = ssl.create_default_context(cafile=authorities) if authorities else httpx.create_ssl_context()
    if certificate and key:
        # Without a password here OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password="")
    return context


def metrics_tls(folder: str) -> TlsFiles:
    """Prometheus': what is wrong with them is a MetricsError."""
    return TlsFiles(folder, lambda what: MetricsError(f"the setting prometheus.tlsDir: {what}"))
