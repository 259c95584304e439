// Removes the vendors that a claim made and no row filled.
// parameters: ids, claim
// returns: none
MATCH (v:Vendor) WHERE v.id IN $ids AND v.batchId = $claim
DELETE v
