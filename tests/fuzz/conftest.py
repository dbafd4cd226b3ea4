"""The server in memory, as the tests of `connection` have it."""

from tests.connection.conftest import house, make_house

__all__ = ["house", "make_house"]
