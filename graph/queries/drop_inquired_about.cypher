// Removes INQUIRED_ABOUT interactions; for those of a pending import that a write takes over.
// parameters: ids
// returns: none
MATCH (:Buyer)-[r:INQUIRED_ABOUT]->(:Offer) WHERE r.id IN $ids
DELETE r
