// Every order line of these buyers for these offers, pending imports apart. Returns more pairs than
// the two lists were zipped from.
// parameters: buyerIds, offerIds
// returns: buyerId!, offerId!, id, orderId, at!, quantity, unitPriceMinor, currency,
//   cancelledQuantity, cancelledAt, stockTaken, context
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PURCHASED]->(o:Offer)
WHERE b.id IN $buyerIds AND o.id IN $offerIds AND (r.batchId IS NULL OR NOT r.batchId IN pending)
RETURN b.id AS buyerId, o.id AS offerId, r.id AS id, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.unitPriceMinor AS unitPriceMinor, r.currency AS currency,
  r.cancelledQuantity AS cancelledQuantity, r.cancelledAt AS cancelledAt,
  r.stockTaken AS stockTaken, r.context AS context
