"""A certificate authority of its own for a test server: `certificates.py FOLDER` writes its files there.

ca.pem; server.pem and server.key for 127.0.0.1; client.pem and client.key of somebody that it knows.
"""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(common, issuer, key):
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(_name(common)).issuer_name(_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - day).not_valid_after(now + day)


def _authority():
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("authority", "authority", key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256()), key


def _signed(common, authority, signer):
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = _builder(common, "authority", key)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([USES[common]]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.add_extension(identifier, critical=False).sign(signer, hashes.SHA256()), key


def _pem(key):
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def make(folder):
    """Writes the files."""
    folder.mkdir(mode=0o700)
    authority, signer = _authority()
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for common in USES:
        certificate, key = _signed(common, authority, signer)
        (folder / f"{common}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{common}.key").write_bytes(_pem(key))


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
