"""Files with keys: which are taken, and what is said of the others."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from tandem.http.token_keys import KeyFileError, private_key, public_keys
from tandem.http.tokens import TokenRules
from tokens_for_tests import ANOTHER, OURS, private_pem, public_pem, token

STRONG_RSA = rsa.generate_private_key(65_537, 2_048)
WEAK_RSA = rsa.generate_private_key(65_537, 1_024)


def jwk(key, **more):
    """The member of a key set for this public key."""
    algorithms = jwt.get_algorithm_by_name
    if isinstance(key, rsa.RSAPublicKey):
        return algorithms("RS256").to_jwk(key, as_dict=True) | more
    return algorithms("EdDSA").to_jwk(key, as_dict=True) | more


def key_set(*members):
    return json.dumps({"keys": members}).encode()


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (OURS, "EdDSA"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512"),
        (STRONG_RSA, "RS256"),
    ],
    ids=["Ed25519", "P-256", "P-384", "P-521", "RSA"],
)
def test_a_kind_of_key_has_its_algorithm(key, algorithm):
    keys = public_keys(b"for the service\n" + public_pem(key))
    assert [each.algorithm for each in keys] == [algorithm]
    assert private_key(private_pem(key)).algorithm == algorithm
    access = TokenRules(keys, "tandem").access(token(key, algorithm).encode())
    assert access.scopes == {"query"}


def test_a_key_set_may_name_the_algorithm_of_its_rsa_key():
    keys = public_keys(key_set(jwk(STRONG_RSA.public_key(), alg="PS256"), jwk(OURS.public_key())))
    assert [key.algorithm for key in keys] == ["PS256", "EdDSA"]
    assert TokenRules(keys, "tandem").access(token(STRONG_RSA, "PS256").encode()).scopes == {"query"}


def test_members_of_a_key_set_that_are_of_no_use_are_left_out():
    others = [
        jwk(ANOTHER.public_key(), use="enc"),
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
        {"kty": "of the future"},
        "no key",
    ]
    assert len(public_keys(key_set(jwk(OURS.public_key()), *others))) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no public key"),
        (b"a secret that somebody has thought up", "no public key"),
        (b'{"keys": 7}', "no public key"),
        (b"{", "no public key"),
        (key_set({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}), "no public key"),
        (key_set(jwk(OURS)), "no public key"),
        (private_pem(OURS), "a private key"),
        (public_pem(OURS) + private_pem(OURS), "a private key"),
        (public_pem(OURS).replace(b"M", b"N", 1), "damaged"),
        (public_pem(WEAK_RSA), "1024 bits"),
        (key_set(jwk(WEAK_RSA.public_key())), "1024 bits"),
        (public_pem(ec.generate_private_key(ec.SECP256K1())), "not used here"),
        (public_pem(ed448.Ed448PrivateKey.generate()), "not used here"),
        (public_pem(OURS) * 17, "17 keys"),
    ],
    ids=[
        "nothing",
        "a secret",
        "no set",
        "broken JSON",
        "a set with a secret",
        "a set with a private key",
        "a private key",
        "both",
        "damaged",
        "weak",
        "weak, in a set",
        "another curve",
        "another kind",
        "too many",
    ],
)
def test_a_file_without_a_good_public_key_is_refused_in_words(content, words):
    with pytest.raises(KeyFileError, match=words):
        public_keys(content)


def test_a_private_key_can_be_had_from_its_own_file_only():
    for content in (b"", b"nonsense", public_pem(OURS)):
        with pytest.raises(KeyFileError, match="no private key"):
            private_key(content)
