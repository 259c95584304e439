// What buyers prefer.
// parameters: ids
// returns: buyerId!, categoryId!, weight!, source
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PREFERS]->(c:Category)
WHERE b.id IN $ids AND (r.batchId IS NULL OR NOT r.batchId IN pending)
  AND (c.batchId IS NULL OR NOT c.batchId IN pending)
RETURN b.id AS buyerId, c.id AS categoryId, r.weight AS weight, r.source AS source
