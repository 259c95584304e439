// Which vendor lists which offer, pending imports apart.
// parameters: none
// returns: id!, vendorId!
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (v:Vendor)-[:LISTS]->(o:Offer)
WHERE (v.batchId IS NULL OR NOT v.batchId IN pending)
  AND (o.batchId IS NULL OR NOT o.batchId IN pending)
RETURN o.id AS id, v.id AS vendorId
