"""When the certificates end that this process goes by: an end that nobody saw coming stops everything."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cryptography import x509

from service_kit.telemetry import gauge

_EXPIRY = gauge(
    "certificate_expiry_timestamp_seconds",
    "When the first certificate in this file ends, since the epoch; 0 for a file that cannot be read",
    ("file",),
)


def tell_expiry(files: Mapping[str, Path | None]) -> None:
    """Tells it of each file, by what it is for; read anew whenever the metric is asked for."""
    for purpose, path in files.items():
        if path is not None:
            _EXPIRY.labels(purpose).set_function(partial(first_expiry, path))


def first_expiry(path: Path) -> float:
    """The earliest end of a PEM file's certificates; 0 if there is none to be read."""
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return 0.0
    return min(one.not_valid_after_utc.timestamp() for one in certificates)
