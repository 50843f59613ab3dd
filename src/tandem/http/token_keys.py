"""The keys that access tokens are signed and verified with, from files.

Instances have only public keys: none of them can make a token, and no secret can be mistaken for a key. Which
algorithm a key is used with follows from the key, never from a token.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from tandem.errors import TandemError

# A wrong token is tried with every key. Two keys are needed while they are changed.
_MAX_KEYS = 16
_MIN_RSA_BITS = 2_048
_PUBLIC_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_ALGORITHMS = {"EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

T = TypeVar("T")


class KeyFileError(TandemError):
    """A file has no key that can be used; the message says why, and what to do."""


class Key(NamedTuple):
    """A key as `cryptography` has it, and the algorithm that it is used with."""

    key: Any
    algorithm: str


def read_keys(file: Path, parse: Callable[[bytes], T]) -> T:
    """What `parse` (`public_keys` or `private_key`) finds in a file.

    Raises:
        KeyFileError: the file cannot be read or used; names it, and says why.
    """
    try:
        return parse(file.read_bytes())
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror}. Name a file that this account may read."
    except KeyFileError as error:
        msg = f"{file} cannot be used: {error}"
    raise KeyFileError(msg)


def public_keys(content: bytes) -> list[Key]:
    """The keys in a file: PEM blocks one after the other, or a JSON Web Key Set (RFC 7517).

    Keys of a set that are not for signatures, or of a kind unknown here, are left out.

    Raises:
        KeyFileError: there is none, too many, a private one, or one that is too weak.
    """
    if b"PRIVATE KEY" in content:
        msg = "it holds a private key. Instances get the public one: openssl pkey -in KEY -pubout"
        raise KeyFileError(msg)
    is_set = content.lstrip().startswith(b"{")
    keys = _keys_of_set(content) if is_set else _keys_of_pem(content)
    if not keys:
        msg = "it holds no public key. It must be PEM (-----BEGIN PUBLIC KEY-----) or a JSON Web Key Set."
        raise KeyFileError(msg)
    if len(keys) > _MAX_KEYS:
        msg = f"it holds {len(keys)} keys. More than {_MAX_KEYS} would make every wrong token costly."
        raise KeyFileError(msg)
    return keys


def private_key(content: bytes) -> Key:
    """The private key in a PEM file, to sign with.

    Raises:
        KeyFileError: there is none, it is protected by a passphrase, or it is too weak.
    """
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        msg = "it is protected by a passphrase. Take that away first: openssl pkey -in KEY -out NEW"
        raise KeyFileError(msg) from None
    except ValueError:
        msg = "it holds no private key. Make one: openssl genpkey -algorithm ed25519 -out KEY"
        raise KeyFileError(msg) from None
    return Key(key, _algorithm_of(key.public_key()))


def _keys_of_pem(content: bytes) -> list[Key]:
    try:
        keys = [load_pem_public_key(block) for block in _PUBLIC_KEY.findall(content)]
    except ValueError:
        msg = "its PEM is damaged."
        raise KeyFileError(msg) from None
    return [Key(key, _algorithm_of(key)) for key in keys]


def _keys_of_set(content: bytes) -> list[Key]:
    try:
        members = json.loads(content)["keys"]
        found = jwt.PyJWKSet([member for member in members if _is_for_signatures(member)]).keys
    except (jwt.PyJWTError, ValueError, KeyError, TypeError):
        return []
    keys = [Key(key.key, key.algorithm_name) for key in found if key.algorithm_name in _ALGORITHMS]
    for key in keys:
        _algorithm_of(key.key)
    return keys


def _is_for_signatures(member: Any) -> bool:
    """Whether this member of a key set verifies signatures. One with "d" would be private."""
    return isinstance(member, dict) and member.get("use", "sig") == "sig" and "d" not in member


def _algorithm_of(key: Any) -> str:
    """The algorithm for a public key of this kind. A key set may name another one for RSA."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _MIN_RSA_BITS:
            msg = f"it holds an RSA key of {key.key_size} bits. Take one of at least {_MIN_RSA_BITS}."
            raise KeyFileError(msg)
        return "RS256"
    msg = "it holds a key of a kind that is not used here. Take Ed25519, ECDSA (P-256, P-384, P-521) or RSA."
    raise KeyFileError(msg)
