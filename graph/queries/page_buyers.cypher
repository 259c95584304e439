// Ids of buyers between two ids.
// parameters: after, bounded, before, limit
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)
WHERE b.id > $after AND (NOT $bounded OR b.id < $before)
  AND (b.batchId IS NULL OR NOT b.batchId IN pending)
RETURN b.id AS id ORDER BY id LIMIT $limit
