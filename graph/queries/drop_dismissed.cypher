// Removes DISMISSED interactions; for those of a pending import that a write takes over.
// parameters: ids
// returns: none
MATCH (:Buyer)-[r:DISMISSED]->(:Offer) WHERE r.id IN $ids
DELETE r
