"""How good the matches are: what is measured, on what, and the pages that say so.

``evaluation.evaluate`` measures a graph's own model on the last part of its purchases,
``evaluation.truth`` against a generated marketplace's truth, ``evaluation.quality`` on matrices of
interactions and ``evaluation.purchases`` on purchases that are not in the graph, every model held
to the same exam (``evaluation.exam``). Importing this package imports no torch.
"""
