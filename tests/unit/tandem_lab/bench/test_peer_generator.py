"""What is sent to a peer, and how its answers are read, whichever way of HTTP/1 they are in."""

import msgspec
import pytest

from tandem_lab.bench.generator import Plan, header
from tandem_lab.bench.peer_generator import body_of, closes, peer_requests
from tandem_lab.peers.protocol import About, Request

SIZED = b"HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nhello"
CHUNKS = b"4;note=1\r\nhell\r\n1\r\no\r\n0\r\nTrailer: 1\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
EMPTY = b"HTTP/1.1 204 No Content\r\nServer: it\r\n\r\n"


@pytest.mark.parametrize(("answer", "body"), [(SIZED, b"hello"), (CHUNKED, b"hello"), (EMPTY, b"")])
def test_an_answer_is_whole_with_its_last_byte_and_not_before(answer, body):
    assert body_of(answer, ended=False) == body
    assert {body_of(answer[:length], ended=False) for length in range(len(answer))} == {None}


def test_an_answer_without_a_length_ends_with_its_connection():
    answer = b"HTTP/1.0 200 OK\r\n\r\nhello"
    assert body_of(answer, ended=False) is None
    assert body_of(answer, ended=True) == b"hello"


def test_an_answer_that_breaks_off_is_none():
    assert body_of(SIZED[:-1], ended=True) is None
    assert body_of(CHUNKED[:-1], ended=True) is None


@pytest.mark.parametrize(
    ("answer", "does"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_whether_the_server_closes_is_known_from_its_answer(answer, does):
    assert closes(answer) is does


class Form:
    """A peer that takes forms, and names headers that are the generator's."""

    about = About("form", "Takes forms.")

    def command(self, user, key):
        headers = {"Content-Type": "text/plain", "X-Key": key, "content-length": "7", "Host": "elsewhere"}
        return Request("PUT", f"/users/{key}?a=b", user["email"].encode(), headers)


def test_each_user_is_sent_as_the_adapter_says_with_a_key_and_an_address_of_its_own():
    plan = Plan("127.0.0.1", 8000, 1.0, 2, requests=3, seed="run", peer="form")
    sent = list(peer_requests(plan, Form()))
    assert sent[1].startswith(b"PUT /users/run-1?a=b HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
    head, body = sent[1].split(b"\r\n\r\n")
    assert body == b"run-1@example.com"
    assert header(sent[1], b"content-length") == str(len(body)).encode()
    assert head.lower().count(b"content-length") == head.lower().count(b"host:") == 1
    assert header(sent[1], b"x-key") == b"run-1"


def test_the_users_are_those_of_randomuser_me():
    class Plain(Form):
        def command(self, user, key):
            return Request("POST", "/", msgspec.json.encode(user))

    (one,) = peer_requests(Plan("127.0.0.1", 8000, 1.0, 2, requests=1, seed="run", peer="plain"), Plain())
    user = msgspec.json.decode(one.split(b"\r\n\r\n")[1])
    assert {"gender", "name", "location", "email", "login", "dob", "phone", "picture", "nat"} <= set(user)
