// Ids of a buyer's interactions of one kind with an offer.
// parameters: buyerId, offerId, kind
// returns: id!
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:VIEWED|CLICKED|ADDED_TO_CART|INQUIRED_ABOUT|DISMISSED]->(o:Offer)
WHERE b.id = $buyerId AND o.id = $offerId AND type(r) = $kind
  AND (r.batchId IS NULL OR NOT r.batchId IN pending)
RETURN r.id AS id ORDER BY id
