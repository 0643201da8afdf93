"""Certificates that the settings name: read, checked, and told plainly where they do not fit.

Nothing of a private key is ever in a message.
"""

import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509

from clickwise.errors import ConfigurationError

# Of what this program asks and answers; the libraries below it take no older ones either.
OLDEST = ssl.TLSVersion.TLSv1_2


def trusting(ca_file: str, variable: str) -> ssl.SSLContext:
    """The client's side of a connection: who signed the server's certificate.

    `ca_file` is a PEM file, empty for those that the system trusts; `variable` is the setting that
    names it, for the message.

    Raises:
        ConfigurationError: it cannot be read, or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{variable}={ca_file} cannot be read as PEM certificates: {_told(error)}"
        ) from error
    context.minimum_version = OLDEST
    return context


def check_pair(certificate: str, key: str) -> None:
    """Return when the files are a certificate chain and the private key that goes with it.

    Raises:
        ConfigurationError: a file is absent or no PEM, the key is another one's or asks for a
            password.
    """
    for variable, path in (
        ("CLICKWISE_TLS_CERTIFICATE", certificate),
        ("CLICKWISE_TLS_KEY", key),
    ):
        try:
            held = Path(path).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{variable}={path}: {error.strerror}") from error
        if b"-----BEGIN " not in held:
            raise ConfigurationError(f"{variable}={path} is no PEM file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password: a key that wants one is refused, where OpenSSL would ask the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            reason = "the key is not that of the certificate"
        else:
            reason = f"not a certificate and its key without a password: {_told(error)}"
        raise ConfigurationError(
            f"CLICKWISE_TLS_CERTIFICATE={certificate} and CLICKWISE_TLS_KEY={key}: {reason}"
        ) from error


def ends_of(certificate: str) -> datetime:
    """Until when the first certificate of a PEM file is good."""
    first = x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0]
    return first.not_valid_after_utc


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not PEM"
    return getattr(error, "strerror", None) or type(error).__name__
