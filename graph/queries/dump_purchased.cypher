// Every PURCHASED relationship with its ends and all its properties, for a backup.
// parameters: none
// returns: from_id!, to_id!, id!, orderId, at, quantity, unitPriceMinor, currency,
//   cancelledQuantity, cancelledAt, stockTaken, context, batchId
MATCH (f:Buyer)-[r:PURCHASED]->(t:Offer)
RETURN f.id AS from_id, t.id AS to_id, r.id AS id, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.unitPriceMinor AS unitPriceMinor, r.currency AS currency,
  r.cancelledQuantity AS cancelledQuantity, r.cancelledAt AS cancelledAt,
  r.stockTaken AS stockTaken, r.context AS context, r.batchId AS batchId
