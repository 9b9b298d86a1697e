"""The wire layer: encoding and decoding of what is sent over the WebSocket, and nothing else.

No I/O, clock, environment or logging. Encoders and decoders are functions or small state machines that tests drive byte
by byte.
"""
