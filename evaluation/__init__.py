"""How good the matches are: what is measured, on what, and the pages that say so.

``evaluation.evaluate`` measures a graph's own model on the last part of its purchases,
``evaluation.truth`` against a generated marketplace's truth. Importing this package imports no
torch.
"""
