"""Where requests go. Pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Target:
    """The parts of a URL that one connection and one request need."""

    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Split an http URL that the plan has already checked."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname or "", parts.port or 80, parts.netloc, path)
