// Removes the categories that a claim made and no row filled.
// parameters: ids, claim
// returns: none
MATCH (c:Category) WHERE c.id IN $ids AND c.batchId = $claim
DELETE c
