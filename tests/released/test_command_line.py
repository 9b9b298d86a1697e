"""wslink.server.start in a process of its own: options, signals, the ready message."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys

import aiohttp
import pytest

from .package import GENERATIONS, second_generation
from .peer import SECRET, Closed
from .programs import BARE, PROGRAM, port_of
from .serving import Process, Visit, write_site


async def connected(port, secret=SECRET, generation=GENERATIONS[-1]):
    async with Visit(port) as visit:
        return await (await visit.connect(generation, secret=secret)).call("test.echo", 1)


def test_a_server_by_command_line():
    with Process(PROGRAM, "--port", "0", "--authKey", "a key", "--host", "127.0.0.1") as process:
        port = port_of(process)
        assert "configured a key" in process.output.decode()
        for generation in GENERATIONS:
            assert asyncio.run(connected(port, "a key", generation)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_the_program_goes_on(number):
    with Process(PROGRAM, "--port", "0") as process:
        port_of(process)
        process.wait_for("wslink: Starting factory")
        process.process.send_signal(number)
        code, output = process.end()
        assert (code, "went on" in output, "Traceback" in output) == (0, True, False)


def test_without_signal_handlers_a_signal_is_pythons():
    with Process(PROGRAM, "--port", "0", "--nosignalhandlers") as process:
        port_of(process)
        process.wait_for("wslink: Starting factory")
        process.process.send_signal(signal.SIGTERM)
        assert process.end()[0] == -signal.SIGTERM


def test_another_ready_message():
    with Process(BARE, "--port", "0", environment={"WSLINK_READY_MSG": "here I am"}) as process:
        assert "wslink: Starting factory" not in process.wait_for("here I am")


def test_no_ready_message():
    with Process(PROGRAM, "--port", "0", environment={"WSLINK_READY_MSG": ""}) as process:
        assert asyncio.run(connected(port_of(process))) == 1
        process.process.terminate()
        code, output = process.end()
        assert code == 0 and "Starting factory" not in output


def test_the_ready_message_comes_once_the_port_accepts_and_after_the_port_callback():
    with Process(PROGRAM, "--port", "0") as process:
        output = process.wait_for("wslink: Starting factory")
        assert output.index("port ") < output.index("wslink: Starting factory")
        assert asyncio.run(connected(port_of(process))) == 1


def test_static_files(tmp_path):
    write_site(tmp_path / "www")

    async def fetch(port):
        async with Visit(port) as visit, visit.get("deep/page.txt") as response:
            return await response.text()

    with Process(PROGRAM, "--port", "0", "--content", str(tmp_path / "www")) as process:
        assert asyncio.run(fetch(port_of(process))) == "page"


def test_a_taken_port_ends_the_program_with_an_error():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with Process(BARE, "--port", str(listener.getsockname()[1]), "--host", "127.0.0.1") as process:
            code, output = process.end()
    assert code != 0 and "error while attempting to bind" in output


def test_help_names_every_option():
    run = subprocess.run([sys.executable, "-c", BARE, "--help"], capture_output=True, text=True)
    assert run.returncode == 0
    for option in [
        "--port",
        "--host",
        "--timeout",
        "--content",
        "--authKey",
        "--ws-endpoint",
        "--no-ws-endpoint",
        "--fs-endpoints",
        "--reverse-url",
        "--ssl",
    ]:
        assert option in run.stdout


def test_the_module_itself_can_be_run_and_ends_when_idle():
    with Process(["-m", "wslink.server"], "--port", "0", "--timeout", "1") as process:
        assert process.end()[0] == 0


@pytest.mark.parametrize("how", ["def", "async def"])
def test_a_method_that_exits_stops_the_server_and_what_follows_its_start_runs(how):
    exiting = """
    @register("test.exit")
    def leave(self):
        sys.exit(2)
"""
    program = PROGRAM.replace("class App(", exiting.replace("def", how, 1) + "\nclass App(")

    async def leave(port):
        async with Visit(port) as visit:
            peer = await visit.connect()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(peer.call("test.exit"), 5)

    with Process(program, "--port", "0") as process:
        asyncio.run(leave(port_of(process)))
        code, output = process.end()
    assert (code, output.count("went on")) == (0, 1)


def test_a_server_in_a_thread_without_signal_handlers():
    program = """
import threading
from wslink import server
from wslink.websocket import ServerProtocol

class App(ServerProtocol):
    def port_callback(self, port):
        print("port", port, "end", flush=True)
        self.stopServer()

import asyncio
import contextlib
def run():
    asyncio.set_event_loop(asyncio.new_event_loop())
    server.start(["--port", "0", "--nosignalhandlers"], App)
    print("thread ends", flush=True)

thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    with Process(program) as process:
        code, output = process.end()
        assert code == 0 and "thread ends" in output


@second_generation
def test_max_msg_size_from_the_environment():
    """It is told in hello, and a frame may be that large and an allowance larger."""

    async def send(port, size):
        async with Visit(port) as visit:
            peer = await visit.dial("second")
            assert (await peer.hello())["maxMsgSize"] == 100_000
            peer.chunk_size = size
            return await peer.call("test.echo", "x" * (size - 100))

    with Process(PROGRAM, "--port", "0", environment={"WSLINK_MAX_MSG_SIZE": "100000"}) as process:
        port = port_of(process)
        assert len(asyncio.run(send(port, 104_000))) == 103_900
        with pytest.raises(Closed, match=r"1009|1006"):  # the second when the reset overtakes the close
            asyncio.run(send(port, 105_000))


def test_the_heartbeat_pings():
    """A peer that does not answer pings is dropped."""

    async def beat(port):
        async with Visit(port) as visit:
            frames = (await visit.dial(autoping=False)).frames
            return (await asyncio.wait_for(frames.receive(), 5)).type

    with Process(PROGRAM, "--port", "0", environment={"WSLINK_HEART_BEAT": "1"}) as process:
        assert asyncio.run(beat(port_of(process))) is aiohttp.WSMsgType.PING


def test_a_callback_that_exits_stops_the_server_and_what_follows_its_start_runs():
    program = PROGRAM.replace(
        'print("port", port, "end", flush=True)',
        'print("port", port, "end", flush=True); import wslink; wslink.schedule_callback(0.1, sys.exit, 3)',
    )
    with Process(program, "--port", "0") as process:
        code, output = process.end()
    assert (code, output.count("went on")) == (0, 1)
