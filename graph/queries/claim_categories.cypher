// Locks the categories with these ids and makes those that are not there, marked with the claim:
// what is read here cannot change before the transaction ends.
// parameters: ids, claim
// returns: id, name, batchId
UNWIND $ids AS id
MERGE (c:Category {id: id})
ON CREATE SET c.batchId = $claim
ON MATCH SET c.batchId = c.batchId
RETURN c.id AS id, c.name AS name, c.batchId AS batchId
