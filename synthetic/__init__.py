"""Synthetic B2B marketplaces whose truth is known.

A retailer's relevance of an offer is made of what its trade needs, its own taste, its price tier,
its place and its habits (truth.py). Order lines are drawn from relevance x popularity x season
among what is listed, valid and in stock that day, with reordering and a fixed share of noise
(purchases.py); views, carts and dismissals follow the same truth (interactions.py). The canonical
files hold only what a marketplace would know; ``truth.npz`` holds the rest.
"""
