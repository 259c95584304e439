"""Scores of buyer-offer pairs in numpy and numba, without torch."""
