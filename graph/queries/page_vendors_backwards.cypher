// Ids of vendors between two ids, last first.
// parameters: after, bounded, before, limit
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (v:Vendor)
WHERE v.id > $after AND (NOT $bounded OR v.id < $before)
  AND (v.batchId IS NULL OR NOT v.batchId IN pending)
RETURN v.id AS id ORDER BY id DESC LIMIT $limit
