// Adds order lines.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId}), (o:Offer {id: row.offerId})
MERGE (b)-[r:PURCHASED {id: row.id}]->(o)
SET r.orderId = row.orderId, r.at = row.at, r.quantity = row.quantity,
  r.unitPriceMinor = row.unitPriceMinor, r.currency = row.currency,
  r.cancelledQuantity = row.cancelledQuantity, r.cancelledAt = row.cancelledAt,
  r.stockTaken = row.stockTaken, r.context = row.context, r.batchId = null
