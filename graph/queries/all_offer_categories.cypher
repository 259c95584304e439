// Which offer is in which category, pending imports apart.
// parameters: none
// returns: id!, categoryId!
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (o:Offer)-[:IN_CATEGORY]->(c:Category)
WHERE (o.batchId IS NULL OR NOT o.batchId IN pending)
  AND (c.batchId IS NULL OR NOT c.batchId IN pending)
RETURN o.id AS id, c.id AS categoryId
