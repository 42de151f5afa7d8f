"""Authorities and certificates for tests that need TLS, made anew each time: none lies in the repository."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kaukoluenta.runtime.clock import SystemClock

LOOPBACK = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])


class Authority:
    """Signs certificates and writes them into a folder, as PEM."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name, self._key = folder, name, ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, self._key.public_key(), x509.BasicConstraints(True, None))
        self.file = _written(folder / f"{name}.pem", certificate)

    def issue(self, name: str, passphrase: bytes | None = None) -> tuple[Path, Path]:
        """A certificate for a process on loopback, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        locked = serialization.BestAvailableEncryption(passphrase) if passphrase else None
        key_file = self._folder / f"{name}.key"
        key_file.write_bytes(key.private_bytes(pem, pkcs8, locked or serialization.NoEncryption()))
        certificate = self._signed(name, key.public_key(), LOOPBACK)
        return _written(self._folder / f"{name}.pem", certificate), key_file

    def _signed(
        self, name: str, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        today = SystemClock().now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self._name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - timedelta(days=1))
            .not_valid_after(today + timedelta(days=1))
            .add_extension(extension, critical=True)
        )
        return builder.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _written(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path
