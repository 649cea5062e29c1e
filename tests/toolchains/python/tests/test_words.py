import shout
from words import count


def test_count():
    assert count("a b A")["a"] == 2


def test_dependency():
    assert shout.shout("hi") == "HI"
