// Sets what an import took back of order lines that were there before it.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId})-[r:PURCHASED]->(o:Offer {id: row.offerId})
WHERE r.id = row.id
SET r.cancelledQuantity = row.cancelledQuantity, r.cancelledAt = row.cancelledAt
