// Removes the offers that a claim made and no row filled.
// parameters: ids, claim
// returns: none
MATCH (o:Offer) WHERE o.id IN $ids AND o.batchId = $claim
DELETE o
