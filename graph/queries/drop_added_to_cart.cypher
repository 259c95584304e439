// Removes ADDED_TO_CART interactions; for those of a pending import that a write takes over.
// parameters: ids
// returns: none
MATCH (:Buyer)-[r:ADDED_TO_CART]->(:Offer) WHERE r.id IN $ids
DELETE r
