// Which of these vendors are there, those of pending imports apart.
// parameters: ids
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (v:Vendor) WHERE v.id IN $ids AND (v.batchId IS NULL OR NOT v.batchId IN pending)
RETURN v.id AS id
