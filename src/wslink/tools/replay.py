"""The command line: `wslink replay run.wsrec --port 8080`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from wslink.client.cure import explained
from wslink.console import complain, say
from wslink.errors import UsageError
from wslink.logs import add_log_options, log_to_stderr
from wslink.replay.app import Replay
from wslink.replay.static import export
from wslink.replay.tape import Tape, open_tape


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    arguments = _parser().parse_args(argv)
    log_to_stderr(arguments.log_level, arguments.log_format)
    try:
        tape = open_tape(arguments.recording, arguments.client)
        say(_summary(tape))
        if arguments.static:
            pages = export(tape, arguments.content, arguments.static)
            say(f"{arguments.static} is a static site: {pages} pages, and what client {tape.client} did and was sent")
            return 0
        speed = 0.0 if arguments.step else arguments.speed
        played = Replay(tape, speed=speed, loop=arguments.loop, strict=arguments.strict)
        played.app.run(host=arguments.host, port=arguments.port, content=arguments.content)
    except (UsageError, OSError) as error:
        complain(f"wslink: {explained(error)}")
        return 1
    return 0


def _summary(tape: Tape) -> str:
    length = tape.records[-1].time if tape.records else 0.0
    calls = sum(map(len, tape.answered.values()))
    cut = ", cut off" if tape.truncated else ""
    others = f"; {tape.others} other clients are left out (--client ID, or --client all)" if tape.others else ""
    return f"{len(tape.shown)} publications and {calls} calls of {tape.client} in {length:.1f} s{cut}{others}"


def _speed(text: str) -> float:
    try:
        return math.inf if text == "max" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor max") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wslink replay",
        description="Serve the page of a recorded application without the application: calls get their recorded "
        "responses, and publications are repeated at their original pace.",
        epilog="wslink call URL wslink.replay.step 10; wslink.replay.speed 0.5 (0 pauses); wslink.replay.state",
    )
    parser.add_argument("recording", help="a .wsrec file")
    parser.add_argument("-p", "--port", type=int, default=8080, help="port to listen on; 0 picks one (default: 8080)")
    parser.add_argument("-i", "--host", default="localhost", help="interface to listen on (default: localhost)")
    parser.add_argument("-c", "--content", default="", metavar="DIR", help="directory of the page")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="times as fast; max for all at once")
    parser.add_argument("--step", action="store_true", help="publish only what wslink.replay.step is called for")
    parser.add_argument("--loop", action="store_true", help="repeat")
    parser.add_argument("--strict", action="store_true", help="refuse calls with arguments that were not recorded")
    parser.add_argument(
        "--client", default="", metavar="ID", help="client whose view is played, or all (default: the one sent most)"
    )
    parser.add_argument(
        "--static", default="", metavar="OUT", help="write a static site into this directory, and serve nothing"
    )
    add_log_options(parser, "warning")
    return parser
