// Every order line with something left after cancellations, pending imports apart; quantity is net.
// parameters: none
// returns: buyerId!, offerId!, orderId, at!, quantity, unitPriceMinor, currency, context
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PURCHASED]->(o:Offer)
WHERE (r.batchId IS NULL OR NOT r.batchId IN pending)
  AND r.quantity > coalesce(r.cancelledQuantity, 0)
RETURN b.id AS buyerId, o.id AS offerId, r.orderId AS orderId, r.at AS at,
  r.quantity - coalesce(r.cancelledQuantity, 0) AS quantity, r.unitPriceMinor AS unitPriceMinor,
  r.currency AS currency, r.context AS context
