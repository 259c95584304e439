// Sets what was taken back of order lines.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId})-[r:PURCHASED]->(o:Offer {id: row.offerId})
WHERE r.id = row.id
SET r.cancelledQuantity = row.cancelledQuantity, r.cancelledAt = row.cancelledAt,
  r.stockTaken = row.stockTaken
