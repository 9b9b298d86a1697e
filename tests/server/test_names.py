"""What `import wslink` offers."""

from __future__ import annotations

import importlib

import wslink


def test_dir_shows_what_is_offered_and_nothing_else() -> None:
    shown = {name for name in dir(wslink) if not name.startswith("__")}
    assert shown == {name for name in wslink.__all__ if not name.startswith("__")}


def test_everything_offered_can_be_imported() -> None:
    for name in wslink.__all__:
        assert getattr(wslink, name) is not None


def test_every_error_that_a_user_may_catch_and_every_type_that_a_user_meets_is_offered() -> None:
    errors = importlib.import_module("wslink.errors")
    for name in ("WslinkError", "UsageError", "MethodError", "NotSerializable", "LinkError", "CallError",
                 "ConnectionClosed", "SubscriptionOverflow", "AuthenticationError", "InvalidParams"):  # fmt: skip
        assert getattr(wslink, name) is getattr(errors, name)
    for name in ("App", "Call", "Client", "ClientSubscription", "Credentials", "Identity", "Limits", "Link", "Server",
                 "Subscription", "Topic"):  # fmt: skip
        assert isinstance(getattr(wslink, name), type)
