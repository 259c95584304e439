// A buyer's order lines between two line ids.
// parameters: buyerId, after, bounded, before, limit
// returns: id, buyerId!, offerId!, orderId, at!, quantity, unitPriceMinor, currency,
//   cancelledQuantity, cancelledAt, context
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PURCHASED]->(o:Offer)
WHERE b.id = $buyerId AND r.id > $after AND (NOT $bounded OR r.id < $before)
  AND (r.batchId IS NULL OR NOT r.batchId IN pending)
RETURN r.id AS id, b.id AS buyerId, o.id AS offerId, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.unitPriceMinor AS unitPriceMinor, r.currency AS currency,
  r.cancelledQuantity AS cancelledQuantity, r.cancelledAt AS cancelledAt, r.context AS context
  ORDER BY id LIMIT $limit
