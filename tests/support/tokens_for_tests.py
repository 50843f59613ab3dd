"""Key pairs, files with keys, and tokens, the right ones and the wrong ones."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

OURS = ed25519.Ed25519PrivateKey.generate()
ANOTHER = ed25519.Ed25519PrivateKey.generate()


def public_pem(key: Any) -> bytes:
    """The file that an instance gets."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def private_pem(key: Any) -> bytes:
    """The file that tokens are made with."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def token(key: Any = OURS, algorithm: str = "EdDSA", **claims: Any) -> str:
    """A token with the scope to query for a minute, unless the claims say otherwise; None leaves one out."""
    known = {"exp": int(time.time()) + 60, "aud": "tandem", "scope": "query"} | claims
    given = {name: value for name, value in known.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm)


def unsigned(header: dict[str, Any], signature: bytes = b"") -> str:
    """A token with this header, and a signature of one's own."""
    claims = {"exp": int(time.time()) + 60, "aud": "tandem", "scope": "query"}
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()


def signed_with_public_key() -> str:
    """What fools who takes the algorithm from the token: the public key as a secret that everybody knows."""
    header = {"alg": "HS256", "typ": "JWT"}
    body = unsigned(header).removesuffix(".")
    return unsigned(header, hmac.digest(public_pem(OURS), body.encode(), hashlib.sha256))


def with_other_claims(signed: str, **claims: Any) -> str:
    """The token with claims that its signature does not cover."""
    head, body, signature = signed.split(".")
    known = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps(known | claims).encode()).rstrip(b"=").decode()
    return f"{head}.{changed}.{signature}"
