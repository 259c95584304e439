// What every buyer prefers, pending imports apart.
// parameters: none
// returns: buyerId!, categoryId!, weight!, source
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PREFERS]->(c:Category)
WHERE (r.batchId IS NULL OR NOT r.batchId IN pending)
  AND (b.batchId IS NULL OR NOT b.batchId IN pending)
  AND (c.batchId IS NULL OR NOT c.batchId IN pending)
RETURN b.id AS buyerId, c.id AS categoryId, r.weight AS weight, r.source AS source
