// Adds cancellation lines.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId}), (o:Offer {id: row.offerId})
MERGE (b)-[r:CANCELLED {id: row.id}]->(o)
SET r.orderId = row.orderId, r.at = row.at, r.quantity = row.quantity,
  r.matchedQuantity = row.matchedQuantity, r.batchId = null
