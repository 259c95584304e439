// Which of these categories are there, those of pending imports apart.
// parameters: ids
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (c:Category) WHERE c.id IN $ids AND (c.batchId IS NULL OR NOT c.batchId IN pending)
RETURN c.id AS id
