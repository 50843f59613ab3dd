"""An authority of a test, and what it signs; files as Kubernetes mounts them from a secret."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# What the kubelet makes of `defaultMode: 0400` where there is an `fsGroup`.
MODE_IN_A_POD = 0o440


@dataclass(frozen=True)
class Signed:
    """A certificate with its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """It signs for servers on this machine, and for clients."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        basic = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(self._name, self._name, self._key).add_extension(basic, critical=True)
        self.certificate = _pem(builder.sign(self._key, hashes.SHA256()))

    def sign(self, name: str) -> Signed:
        """For a role of this name, or a server: it holds at 127.0.0.1 and localhost."""
        key = ec.generate_private_key(ec.SECP256R1())
        places = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            _builder(_named(name), self._name, key)
            .add_extension(x509.SubjectAlternativeName(places), critical=False)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Signed(_pem(builder.sign(self._key, hashes.SHA256())), private)


def mount(place: Path, authority: Authority, role: Signed) -> Path:
    """A folder as the component `tls` of kubernetes/ mounts it: files are links to links to the content."""
    content = place / "..2026_01_02"
    content.mkdir(parents=True)
    files = {
        "ca.crt": authority.certificate,
        "tls.crt": role.certificate,
        "tls.key": role.key,
        "tls-combined.pem": role.key + role.certificate,
    }
    (place / "..data").symlink_to(content.name)
    for name, text in files.items():
        (content / name).write_bytes(text)
        (content / name).chmod(MODE_IN_A_POD)
        (place / name).symlink_to(f"..data/{name}")
    return place


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
