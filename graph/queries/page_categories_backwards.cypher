// Ids of categories between two ids, last first.
// parameters: after, bounded, before, limit
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (c:Category)
WHERE c.id > $after AND (NOT $bounded OR c.id < $before)
  AND (c.batchId IS NULL OR NOT c.batchId IN pending)
RETURN c.id AS id ORDER BY id DESC LIMIT $limit
