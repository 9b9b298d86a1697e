"""A trame application, for the interpreter that WSLINK_FIELD_PYTHON names."""

from trame.app import get_server
from trame.ui.html import DivLayout
from trame.widgets import html

server = get_server(client_type="vue3")
server.state.number = 41


@server.controller.trigger("up")
def up() -> None:
    server.state.number += 1


with DivLayout(server):
    html.Span("The number is {{ number }}.", id="number")
    html.Button("Up", click=up)

server.start()
