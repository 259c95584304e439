// Order lines with these ids, pending imports included.
// parameters: ids
// returns: buyerId!, offerId!, id, orderId, at!, quantity, unitPriceMinor, currency,
//   cancelledQuantity, cancelledAt, stockTaken, context, batchId
MATCH (b:Buyer)-[r:PURCHASED]->(o:Offer) WHERE r.id IN $ids
RETURN b.id AS buyerId, o.id AS offerId, r.id AS id, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.unitPriceMinor AS unitPriceMinor, r.currency AS currency,
  r.cancelledQuantity AS cancelledQuantity, r.cancelledAt AS cancelledAt,
  r.stockTaken AS stockTaken, r.context AS context, r.batchId AS batchId
