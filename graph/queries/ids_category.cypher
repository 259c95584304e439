// Ids of Category nodes, of these or of all, pending imports apart.
// parameters: every, ids
// returns: id!
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (n:Category)
WHERE ($every OR n.id IN $ids) AND (n.batchId IS NULL OR NOT n.batchId IN pending)
RETURN n.id AS id
