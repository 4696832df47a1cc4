"""Certificates for a server of the lab: a CA of its own, one certificate for the server, one for a client.

The server's is for the address 127.0.0.1 and for no name, so that a client which comes by the name ``localhost`` sees
another one's certificate. The CA's key is kept nowhere: nobody can add to what was made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

from lab.files import write

_LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where they lie."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Return the certificate of the CA."""
        return self.folder / "ca.pem"

    def certificate(self, owner: str) -> Path:
        """Return the certificate of ``server`` or ``client``."""
        return self.folder / f"{owner}.pem"

    def key(self, owner: str) -> Path:
        """Return the private key of ``server`` or ``client``, mode 0600."""
        return self.folder / f"{owner}.key"

    def make(self) -> None:
        """Make all of them, once; the CA's certificate is written last."""
        if self.ca.exists():
            return
        authority = generate_private_key(SECP256R1())
        issuer = _name(f"CA of {self.folder.parent.name}")
        for owner in ("server", "client"):
            key = generate_private_key(SECP256R1())
            names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
            draft = _draft(_name(owner), issuer, key).add_extension(names, critical=False)
            write(self.certificate(owner), _signed(draft, authority))
            write(self.key(owner), _private(key), mode=0o600)
        draft = _draft(issuer, issuer, authority)
        write(self.ca, _signed(draft.add_extension(x509.BasicConstraints(True, None), critical=True), authority))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _draft(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + _LIFETIME,
    )


def _signed(draft: x509.CertificateBuilder, authority: EllipticCurvePrivateKey) -> str:
    return draft.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _private(key: EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
