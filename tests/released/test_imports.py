"""The names that other software imports."""

import importlib
import subprocess
import sys

import pytest

import wslink

from .package import since_2

NAMES = {
    "wslink": "register schedule_callback schedule_coroutine __license__",
    "wslink.websocket": "LinkProtocol ServerProtocol",
    "wslink.protocol": "AbstractWebApp WslinkHandler",
    "wslink.publish": "PublishManager publishManager",
    "wslink.server": "add_arguments start start_webserver stop_webserver create_webserver get_port",
    "wslink.uri": "checkURI",
    "wslink.ssl_context": "load_ssl_context generate_ssl_pair",
    "wslink.backends": "create_webserver launcher_start",
    "wslink.backends.aiohttp": "WebAppServer ReverseWebAppServer create_webserver MAX_MSG_SIZE HEART_BEAT",
    "wslink.backends.generic": "create_webserver startWebServer",
    "wslink.backends.generic.core": "GenericServer WsEndpoint WsConnection create_webserver",
    "wslink.launcher": "startWebServer start add_arguments parseConfig SessionManager ResourceManager ProxyMappingManagerTXT",
    "wslink.relay": "main",
    "wslink.backends.aiohttp.launcher": "startWebServer LauncherResource",
    "wslink.backends.aiohttp.relay": "main WsHandler",
}

NAMES_OF_2 = {
    "wslink": "__version__",
    "wslink.core": "register schedule_callback schedule_coroutine",
    "wslink.emitter": "EventEmitter",
    "wslink.chunking": "HEADER_LENGTH UINT32_LENGTH generate_chunks UnChunker StreamUnChunker",
    "wslink.protocol": "MAX_MSG_SIZE",
    "wslink.backends.aiohttp": "HTTP_HEADERS MSG_OVERHEAD WS_COMPRESS STATE_KEY reload_settings",
}


@pytest.mark.parametrize(("module", "names"), NAMES.items())
def test_every_version_has(module, names):
    for name in names.split():
        assert hasattr(importlib.import_module(module), name), name


@since_2
@pytest.mark.parametrize(("module", "names"), NAMES_OF_2.items())
def test_2_has(module, names):
    for name in names.split():
        assert hasattr(importlib.import_module(module), name), name


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("wslink.backends.tornado", "tornado"),
        ("wslink.backends.jupyter", "IPython"),
        ("wslink.backends.jupyter.core", "IPython"),
    ],
)
def test_optional_backends(module, needs):
    pytest.importorskip(needs)
    assert callable(importlib.import_module(module).create_webserver)


def test_the_package_alone_pulls_in_no_web_framework():
    program = "import sys, wslink; print([name for name in ('aiohttp', 'tornado', 'IPython') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


@since_2
def test_the_version_that_software_asks_for():
    major, minor, patch = map(int, wslink.__version__.split(".")[:3])
    assert (2, 5, 8) <= (major, minor, patch) < (2, 6, 1)


def test_error_codes():
    from wslink import protocol

    assert protocol.METHOD_NOT_FOUND == -32601
    assert protocol.AUTHENTICATION_ERROR == -32000
    assert protocol.EXCEPTION_ERROR == -32001
    assert protocol.RESULT_SERIALIZE_ERROR == -32002
    assert protocol.CLIENT_ERROR == -32099
