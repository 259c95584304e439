// Ids of VIEWED relationships, of these or of all, pending imports apart.
// parameters: every, ids
// returns: id!
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (:Buyer)-[r:VIEWED]->(:Offer)
WHERE ($every OR r.id IN $ids) AND (r.batchId IS NULL OR NOT r.batchId IN pending)
RETURN r.id AS id
