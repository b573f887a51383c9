"""What Envoy's configuration depends on besides routes and endpoints: settled at start, constant after."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Keys:
    """Where the issuer's public keys come from: inline JSON text, or an http(s) address. Exactly one is set."""

    inline: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if (self.inline is None) == (self.url is None):
            raise ValueError("keys come inline or from an address: set exactly one")


@dataclass(frozen=True)
class Options:
    """One gateway's fixed facts. Times are seconds, sizes are bytes."""

    issuer: str
    audience: str
    keys: Keys
    folder: Path
    """Holds the xDS files and the admin socket; must be writable."""
    page_needs_operator: bool
    error_pages: dict[int, str] = field(default_factory=dict)
    """Status → a self-contained HTML document for browsers."""
    listen_address: str = "0.0.0.0"  # noqa: S104  the edge listens to everyone
    listen_port: int = 8000
    control_port: int = 8001
    name: str = "api-gateway"
    version: str = "dev"
    trusted_hops: int = 0
    """Proxies in front of this gateway whose X-Forwarded-For is believed."""
    max_body_bytes: int = 256 * 1024 * 1024
    max_header_kib: int = 32
    max_connections: int = 20_000
    headers_seconds: float = 10.0
    """Longest time a client may take to send its request headers."""
    idle_seconds: float = 60.0
    """Longest silence in a request with a timeout."""
    stream_idle_seconds: float = 3600.0
    """Longest silence in a stream without end (SSE, WebSocket)."""
    limited_callers: int = 100_000
    """Callers remembered per limited route; the least recently seen is forgotten first."""

    limits_socket: Path | None = None
    """Where limits common to all gateways are asked about; None: each gateway keeps its own."""
    limits_seconds: float = 0.25
    """Longest time such a question may take; then the local limit alone decides."""

    @property
    def admin_socket(self) -> Path:
        return self.folder / "admin.sock"

    def xds(self, name: str) -> Path:
        """The file Envoy watches for one resource type (``lds``, ``cds``, ``rds``) or one cluster's endpoints."""
        return self.folder / f"{name}.json"
