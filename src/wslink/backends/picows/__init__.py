"""The picows engine: aiohttp routes the upgrade, picows carries the frames, on the same port."""
