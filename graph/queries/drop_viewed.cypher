// Removes VIEWED interactions; for those of a pending import that a write takes over.
// parameters: ids
// returns: none
MATCH (:Buyer)-[r:VIEWED]->(:Offer) WHERE r.id IN $ids
DELETE r
