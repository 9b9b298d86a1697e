"""wslink.chunking: what trame's own client drives."""

import struct

import msgpack
import pytest

from .package import VERSION

if VERSION.startswith("1."):
    pytest.skip("wslink.chunking came with the 2.x packages", allow_module_level=True)

from wslink.chunking import HEADER_LENGTH, StreamUnChunker, UnChunker, generate_chunks


def headers(chunks):
    return [struct.unpack_from("<III", chunk) for chunk in chunks]


def test_the_header_has_12_bytes():
    assert HEADER_LENGTH == 12


def test_max_size_counts_the_header():
    chunks = list(generate_chunks(b"abcdefghij", 16))
    assert [len(chunk) for chunk in chunks] == [16, 16, 14]
    assert [(offset, total) for _, offset, total in headers(chunks)] == [(0, 10), (4, 10), (8, 10)]
    assert len({number for number, _, _ in headers(chunks)}) == 1
    assert b"".join(bytes(chunk[12:]) for chunk in chunks) == b"abcdefghij"


def test_size_0_gives_one_chunk():
    (chunk,) = generate_chunks(b"x" * 100_000, 0)
    assert len(chunk) == 100_012


def test_a_size_without_room_gives_a_byte_at_a_time():
    assert [bytes(chunk[12:]) for chunk in generate_chunks(b"abc", 5)] == [b"a", b"b", b"c"]


def test_nothing_gives_no_chunk():
    assert list(generate_chunks(b"", 100)) == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_may_be_chunked(kind):
    chunks = list(generate_chunks(kind(b"abcdef"), 15))
    assert b"".join(bytes(chunk[12:]) for chunk in chunks) == b"abcdef"


@pytest.mark.parametrize("unchunker", [UnChunker, StreamUnChunker])
@pytest.mark.parametrize("size", [0, 13, 20, 1000])
def test_a_message_comes_back(unchunker, size):
    message = {"a": [1, 2.5, None, b"\x00\xff", "ü"], "b": "x" * 300}
    receiver = unchunker()
    *rest, last = generate_chunks(msgpack.packb(message), size)
    assert [receiver.process_chunk(chunk) for chunk in rest] == [None] * len(rest)
    assert receiver.process_chunk(last) == message


def test_chunks_come_in_any_order_and_messages_interleave():
    receiver = UnChunker()
    one, two = (list(generate_chunks(msgpack.packb(text * 20), 25)) for text in ("a", "b"))
    arrived = [receiver.process_chunk(chunk) for pair in zip(one[::-1], two, strict=True) for chunk in pair]
    assert [message for message in arrived if message is not None] == ["a" * 20, "b" * 20]


def test_the_limit_is_on_the_announced_total():
    receiver = UnChunker()
    receiver.set_max_message_size(50)
    receiver.process_chunk(struct.pack("<III", 1, 0, 50))
    with pytest.raises(ValueError):
        receiver.process_chunk(struct.pack("<III", 2, 0, 51))


def test_the_first_limit_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("WSLINK_AUTH_MSG_SIZE", "40")
    with pytest.raises(ValueError):
        UnChunker().process_chunk(struct.pack("<III", 1, 0, 41))
    assert UnChunker().process_chunk(next(generate_chunks(msgpack.packb("x" * 30), 0))) == "x" * 30


def test_a_limit_may_be_raised_to_any_size():
    receiver = UnChunker()
    receiver.set_max_message_size(4 * 1024**3)
    message = "x" * 2_000_000
    assert [receiver.process_chunk(chunk) for chunk in generate_chunks(msgpack.packb(message), 1_500_000)] == [
        None,
        message,
    ]


@pytest.mark.parametrize("unchunker", [UnChunker, StreamUnChunker])
def test_chunks_that_disagree_about_the_total_are_refused(unchunker):
    receiver = unchunker()
    receiver.process_chunk(struct.pack("<III", 1, 0, 10) + b"\xa9abc")
    with pytest.raises(ValueError):
        receiver.process_chunk(struct.pack("<III", 1, 4, 11) + b"def")


@pytest.mark.parametrize("unchunker", [UnChunker, StreamUnChunker])
def test_pending_messages_can_be_released(unchunker):
    receiver = unchunker()
    first, second = generate_chunks(msgpack.packb("abcdefgh"), 18)
    receiver.process_chunk(first)
    receiver.release_pending_messages()
    assert not receiver.pending_messages
    if unchunker is UnChunker:
        assert receiver.process_chunk(second) is None


def test_the_stream_unchunker_wants_order():
    receiver = StreamUnChunker()
    first, _, third = generate_chunks(msgpack.packb("abcdefgh"), 15)
    receiver.process_chunk(first)
    with pytest.raises(ValueError):
        receiver.process_chunk(third)
