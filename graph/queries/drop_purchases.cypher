// Removes order lines; for those of a pending import that a write takes over.
// parameters: ids
// returns: none
MATCH (:Buyer)-[r:PURCHASED]->(:Offer) WHERE r.id IN $ids
DELETE r
