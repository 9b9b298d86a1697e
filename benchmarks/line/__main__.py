"""Runs a line alone, or measures how exact it is."""

from __future__ import annotations

import argparse

from benchmarks.line import accuracy, proxy


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.line", description="A slow line on loopback.")
    parser.add_argument("target", type=int, nargs="?", help="port of the server")
    parser.add_argument("--rate", type=float, default=20e6, help="bits per second (20e6)")
    parser.add_argument("--delay", type=float, default=0.04, help="one-way delay in seconds (0.04)")
    parser.add_argument("--buffer", type=int, default=256 * 1024, help="bytes at the bottleneck (262144)")
    parser.add_argument("--measure", action="store_true", help="measure the accuracy of such a line and stop")
    chosen = parser.parse_args()
    if chosen.measure:
        accuracy.main(chosen.rate, chosen.delay, chosen.buffer)
    elif chosen.target is None:
        parser.error("the port of the server is needed")
    else:
        proxy.run(chosen.target, chosen.rate, chosen.delay, chosen.buffer)


if __name__ == "__main__":
    main()
