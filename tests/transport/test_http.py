"""Requests and answers, as bytes."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.transport.carrier import Request, WrongAnswer
from rind.transport.http import LONGEST_HEAD, Response, encoded

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def test_requests_are_encoded() -> None:
    head = " HTTP/1.1\r\nHost: h\r\nUser-Agent: rind\r\nConnection: "
    asked = Request("GET", "a/b", {"x": 'é {"&=?', "y": "-._~1"})
    said = f"GET /a/b?x=%C3%A9%20%7B%22%26%3D%3F&y=-._~1{head}close\r\n\r\n"
    assert encoded(asked, "h").decode() == said
    asked = Request("POST", "x", body={"a": "é"})
    length = 'Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{"a": "\\u00e9"}'
    assert encoded(asked, "h").decode() == f"POST /x{head}close\r\n{length}"
    upgrade = encoded(Request("POST", "x"), "h", connection="Upgrade").decode()
    assert upgrade.startswith(f"POST /x{head}Upgrade\r\nUpgrade: tcp\r\n")
    assert "\r\nContent-Length: 0\r\n" in upgrade


def fed(*parts: bytes) -> tuple[Response, bytes]:
    response = Response()
    return response, b"".join(map(response.feed, parts))


ANSWERS = [
    (OK + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    (OK + b"CONTENT-length:  0 \r\n\r\n", b""),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", b""),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a"),
    (CHUNKED + b"3\r\nabc\r\n0a;x=y\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789"),
    (CHUNKED + b"3\nabc\n0\nTrailer: x\n\n", b"abc"),
]


@given(cuts=st.sets(st.integers(1, 120)))
@pytest.mark.parametrize(("answer", "body"), ANSWERS)
def test_an_answer_may_be_cut_anywhere(answer: bytes, body: bytes, cuts: set[int]) -> None:
    ends = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]
    response, received = fed(*(answer[start:end] for start, end in pairwise(ends)))
    assert response.is_complete
    assert received == body
    response.feed_eof()


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    response, body = fed(b"HTTP/1.0 404 Not Found\r\nA:b\r\n\r\nx", b"y")
    assert (response.status, response.reason, response.headers) == (404, "Not Found", {"a": "b"})
    assert (body, response.is_complete) == (b"xy", False)
    response.feed_eof()
    assert response.is_complete


def test_bytes_after_an_upgrade_are_not_a_body() -> None:
    response, body = fed(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n\x01\x00")
    assert (response.status, body, response.rest) == (101, b"", b"\x01\x00")
    assert response.is_complete


@pytest.mark.parametrize(
    "wrong",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 999 No\r\n\r\n",
        b"HTTP/1.1 200 O\0K\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b" folded: x\r\n\r\n",
        OK + b"A: x\0y\r\n\r\n",
        OK + b"A: x\ny\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1, 1\r\n\r\n",
        OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"A: " + b"x" * LONGEST_HEAD,
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"1" * 40 + b"\r\n",
        CHUNKED + b"1" * 2000,
    ],
)
def test_an_answer_that_is_not_http_is_rejected(wrong: bytes) -> None:
    with pytest.raises(WrongAnswer):
        fed(wrong)


@pytest.mark.parametrize(
    "cut",
    [b"", b"HTTP/1.1 20", OK, OK + b"Content-Length: 3\r\n\r\nab", CHUNKED, CHUNKED + b"0\r\n"],
)
def test_a_truncated_answer_is_rejected(cut: bytes) -> None:
    response, _ = fed(cut)
    with pytest.raises(WrongAnswer, match="too early"):
        response.feed_eof()


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_rejected(data: bytes) -> None:
    for start in (b"", OK, CHUNKED):
        response = Response()
        try:
            response.feed(start + data)
            response.feed_eof()
        except WrongAnswer:
            continue
        assert response.is_complete


def test_a_body_is_not_buffered() -> None:
    response, _ = fed(CHUNKED)
    for _ in range(100):
        assert response.feed(b"3e8\r\n" + b"x" * 1000 + b"\r\n") == b"x" * 1000
    assert json.dumps(response.headers) == '{"transfer-encoding": "chunked"}'
    assert len(response._buffer) == 0
