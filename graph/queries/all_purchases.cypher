// Every order line, pending imports apart.
// parameters: none
// returns: buyerId!, offerId!, id, orderId, at!, quantity, unitPriceMinor, currency,
//   cancelledQuantity, cancelledAt, context
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PURCHASED]->(o:Offer) WHERE (r.batchId IS NULL OR NOT r.batchId IN pending)
RETURN b.id AS buyerId, o.id AS offerId, r.id AS id, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.unitPriceMinor AS unitPriceMinor, r.currency AS currency,
  r.cancelledQuantity AS cancelledQuantity, r.cancelledAt AS cancelledAt, r.context AS context
