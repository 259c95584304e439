// Locks offers until the transaction ends and returns their stock and status.
// parameters: ids, now
// returns: id, availableQuantity, status
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (o:Offer) WHERE o.id IN $ids AND (o.batchId IS NULL OR NOT o.batchId IN pending)
SET o.touchedAt = $now
RETURN o.id AS id, o.availableQuantity AS availableQuantity, o.status AS status
