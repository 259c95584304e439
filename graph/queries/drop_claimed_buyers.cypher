// Removes the buyers that a claim made and no row filled.
// parameters: ids, claim
// returns: none
MATCH (b:Buyer) WHERE b.id IN $ids AND b.batchId = $claim
DELETE b
