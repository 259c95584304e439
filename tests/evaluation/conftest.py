"""The planted marketplace and the training on it, as the tests of training have them."""

from tests.gnn.conftest import heard, planted, timeless, trained

__all__ = ["heard", "planted", "timeless", "trained"]
