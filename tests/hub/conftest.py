from tests.callbacks import no_callback_raises  # noqa: F401 - for every test here
