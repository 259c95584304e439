// Which of these offers are there, those of pending imports apart.
// parameters: ids
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (o:Offer) WHERE o.id IN $ids AND (o.batchId IS NULL OR NOT o.batchId IN pending)
RETURN o.id AS id
