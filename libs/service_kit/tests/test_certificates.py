"""The end of a certificate is told while there is time."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import REGISTRY
from service_kit.certificates import first_expiry, tell_expiry


def certificate(*, days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_of_several_certificates_the_first_to_end_is_told_and_a_new_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    file.write_bytes(certificate(days=400) + certificate(days=10))
    tell_expiry({"database_ca": file, "broker_ca": None})

    def days_left(purpose: str) -> float | None:
        told = REGISTRY.get_sample_value("florin_certificate_expiry_timestamp_seconds", {"file": purpose})
        return None if told is None else (told - time.time()) / 86_400

    assert 9.9 < (days_left("database_ca") or 0) <= 10
    assert days_left("broker_ca") is None
    file.write_bytes(certificate(days=400))
    assert 399 < (days_left("database_ca") or 0) <= 400


def test_a_file_that_holds_no_certificate_seems_to_have_ended(tmp_path: Path) -> None:
    """So that the alert fires: silence would look like health."""
    assert first_expiry(tmp_path / "absent.pem") == 0
    (tmp_path / "empty.pem").write_text("nothing")
    assert first_expiry(tmp_path / "empty.pem") == 0
