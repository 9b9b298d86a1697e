"""Hello, secrets and validateToken."""

import re

import pytest

from wslink import register
from wslink.websocket import LinkProtocol

from .peer import SECRET, Failure
from .serving import Protocol, serving


class Calls(LinkProtocol):
    @register("test.echo")
    def echo(self, value=None):
        return value


async def test_hellos_result(generation):
    async with serving(Protocol()) as running:
        result = await (await running.dial(generation)).hello(SECRET)
        assert re.fullmatch("c[0-9a-f]{32}", result.pop("clientID"))
        assert result == ({"maxMsgSize": 4194304} if generation == "second" else {})


@pytest.mark.parametrize("secret", ["wrong", "", SECRET + "x", 1, None, [SECRET], {"secret": SECRET}], ids=repr)
async def test_a_wrong_secret(generation, secret):
    async with serving(Protocol()) as running:
        peer = await running.dial(generation)
        with pytest.raises(Failure) as failure:
            await peer.hello(secret)
        assert vars(failure.value) == {"code": -32000, "message": "Authentication failed", "data": None}


@pytest.mark.parametrize("args", [[], [None], [SECRET], [{}], [{"password": SECRET}], [[SECRET]]], ids=repr)
async def test_a_hello_without_a_secret(generation, args):
    async with serving(Protocol()) as running:
        peer = await running.dial(generation)
        answer = await peer.ask("system:c0:0", "wslink.hello", args)
        assert answer == {
            "wslink": "1.0",
            "id": "system:c0:0",
            "error": {"code": -32000, "message": "Authentication failed"},
        }


async def test_a_client_may_try_again(generation):
    async with serving(Protocol()) as running:
        peer = await running.dial(generation)
        with pytest.raises(Failure):
            await peer.hello("wrong")
        assert await peer.hello(SECRET)


@pytest.mark.parametrize("method", ["test.echo", "application.exit", "no.method"])
async def test_calls_before_hello_are_refused(generation, method):
    async with serving(Protocol(Calls())) as running:
        peer = await running.dial(generation)
        with pytest.raises(Failure) as failure:
            await peer.call(method)
        expected = {"code": -32000, "message": "Unauthorized: Skip message processing", "data": None}
        assert vars(failure.value) == expected
        await peer.hello()
        assert await peer.call("test.echo", 1) == 1


async def test_a_new_secret_counts_for_later_hellos():
    protocol = Protocol(Calls())
    async with serving(protocol) as running:
        early = await running.connect()
        protocol.updateSecret("new")
        with pytest.raises(Failure):
            await running.connect()
        assert await (await running.connect(secret="new")).call("test.echo", 1) == 1
        assert await early.call("test.echo", 2) == 2


class Validating:
    def __init__(self, *accepted):
        self.accepted, self.asked = accepted, []

    async def validateToken(self, token, client_id):
        self.asked.append((token, client_id))
        return token in self.accepted


class ValidatingLink(Validating, LinkProtocol):
    pass


class ValidatingServer(Validating, Protocol):
    def __init__(self, *accepted, links=()):
        Validating.__init__(self, *accepted)
        Protocol.__init__(self, *links)


async def test_a_link_protocol_may_validate():
    async with serving(Protocol(link := ValidatingLink("token"), Calls())) as running:
        peer = await running.connect(secret="token")
        assert await peer.call("test.echo", 1) == 1
        assert link.asked == [("token", peer.client_id[1:])]


async def test_the_server_protocol_may_validate():
    async with serving(server := ValidatingServer("token")) as running:
        peer = await running.connect(secret="token")
        assert set(server.asked) == {("token", peer.client_id[1:])}


async def test_validators_replace_the_secret():
    async with serving(Protocol(ValidatingLink("token"))) as running:
        with pytest.raises(Failure):
            await running.connect(secret=SECRET)


async def test_all_validators_must_agree():
    server = ValidatingServer("a", "b", links=[ValidatingLink("b", "c"), ValidatingLink("b")])
    async with serving(server) as running:
        for token in ("a", "c"):
            with pytest.raises(Failure) as failure:
                await running.connect(secret=token)
            assert failure.value.code == -32000
        assert await running.connect(secret="b")


async def test_tokens_may_be_of_any_type():
    class Typed(LinkProtocol):
        async def validateToken(self, token, client_id):
            return isinstance(token, dict) and token["user"] == "me"

    async with serving(Protocol(Typed())) as running:
        assert await running.connect(secret={"user": "me"})
