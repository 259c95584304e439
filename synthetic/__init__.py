"""Synthetic marketplaces whose truth is known."""
