// Makes the categories that are not there, marked with the claim. The forest is locked already.
// parameters: ids, claim
// returns: id, name, batchId
UNWIND $ids AS id
MERGE (c:Category {id: id})
ON CREATE SET c.batchId = $claim
RETURN c.id AS id, c.name AS name, c.batchId AS batchId
