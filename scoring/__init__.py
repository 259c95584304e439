"""Scores of buyer-offer pairs in numpy and numba, without torch."""

from scoring.kernel_cache import keep_kernels_by_source

# Before any kernel is met: numba asks for the folder once for each.
keep_kernels_by_source()
