// Ids of a buyer's order lines for an offer with something left after cancellations.
// parameters: buyerId, offerId
// returns: id!
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PURCHASED]->(o:Offer)
WHERE b.id = $buyerId AND o.id = $offerId AND (r.batchId IS NULL OR NOT r.batchId IN pending)
  AND r.quantity > coalesce(r.cancelledQuantity, 0)
RETURN r.id AS id ORDER BY id
