// Locks buyers until the transaction ends.
// parameters: ids, now
// returns: id
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer) WHERE b.id IN $ids AND (b.batchId IS NULL OR NOT b.batchId IN pending)
SET b.touchedAt = $now
RETURN b.id AS id
