"""The picows engine: aiohttp routes the upgrade, picows carries the frames, on the same port."""

from wslink.lazy import postpone

postpone("picows")  # it would import its client, with its proxies and TLS: a tenth of a server's start
