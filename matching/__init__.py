"""The heart: ranks offers for a buyer and buyers for an offer, explains, notices new matches."""
