// Removes preferences that an import brought.
// parameters: id
// returns: none
MATCH (:Buyer)-[r:PREFERS]->(:Category) WHERE r.batchId = $id
DELETE r
