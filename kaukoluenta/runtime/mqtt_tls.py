"""TLS to the broker: whom we trust, and who we are. The files are looked at before anything connects.

The broker's certificate is always checked, authority and host name; nothing turns that off.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.settings import MqttSettings


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """What the connection is encrypted with; None where the settings ask for no TLS.

    Raises:
        ConfigurationInvalid: a file that cannot be read, or does not hold what it should.
    """
    if not settings.uses_tls:
        return None
    context = _trusting(settings.ca_file)
    if settings.certificate_file and settings.key_file:
        _identify(context, settings.certificate_file, settings.key_file)
    return context


def connection_failure(error: BaseException | None) -> tuple[str, dict[str, str]]:
    """What to say of a connection that could not be made, and its reason and remedy."""
    match error:
        case ssl.SSLCertVerificationError():
            remedy = "name in ca_file who signed its certificate, and write host as the certificate has it"
            return "broker not trusted", {"reason": error.verify_message, "remedy": remedy}
        case ssl.SSLError() | ConnectionResetError():
            return "no TLS with the broker", {
                "reason": str(error),
                "remedy": "is it this port? Mostly it is 8883",
            }
        case _:
            return "broker not there", {"reason": str(error), "remedy": "start it, or mend [mqtt]"}


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A context that trusts these authorities alone, or else those that the system does."""
    if ca_file is None:
        return ssl.create_default_context()
    _check_readable("ca_file", ca_file)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise ConfigurationInvalid(
            f"[mqtt] ca_file {ca_file} holds no certificate.", remedy="Write the authority's, as PEM."
        ) from None


def _identify(context: ssl.SSLContext, certificate_file: Path, key_file: Path) -> None:
    """Have the context show this certificate. A key behind a passphrase is refused: nobody types it."""
    _check_readable("certificate_file", certificate_file)
    _check_readable("key_file", key_file)
    try:
        context.load_cert_chain(certificate_file, key_file, password=lambda: "")
    except ssl.SSLError:
        raise ConfigurationInvalid(
            f"[mqtt] certificate_file {certificate_file} and key_file {key_file} are no pair.",
            remedy="Write a certificate and the key that belongs to it, as PEM without a passphrase.",
        ) from None


def _check_readable(key: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigurationInvalid(
            f"[mqtt] {key} {path} cannot be read: {error.strerror}.", remedy="Check its path and rights."
        ) from None
