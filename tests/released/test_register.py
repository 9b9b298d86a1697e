"""wslink.register, wslink.uri."""

import pytest

import wslink
from wslink.uri import checkURI


def test_it_returns_the_function_itself():
    def method(self): ...

    assert wslink.register("a.b")(method) is method


def test_it_notes_the_uri_in_the_functions_dictionary():
    @wslink.register("a.b_c9")
    def method(self): ...

    assert method.__dict__["_wslinkuris"] == [{"uri": "a.b_c9"}]


def test_stacked_uris_stand_from_the_inside_out():
    @wslink.register("outer.one")
    @wslink.register("inner.one")
    def method(self): ...

    assert method._wslinkuris == [{"uri": "inner.one"}, {"uri": "outer.one"}]


def test_it_decorates_only_what_can_be_called():
    with pytest.raises(AssertionError):
        wslink.register("a.b")(3)


@pytest.mark.parametrize("uri", ["a", "a.b", "viewport.image.push", "a1_.b_2"])
def test_good_uris_are_returned(uri):
    assert checkURI(uri) == uri


@pytest.mark.parametrize("uri", ["", "A.b", "a..b", ".a", "a.", "a-b", "1a", "a b", "a._b"])
def test_bad_uris_are_refused_by_both(uri):
    with pytest.raises(Exception, match="invalid URI"):
        checkURI(uri)
    with pytest.raises(Exception, match="invalid URI"):
        wslink.register(uri)(lambda self: None)
