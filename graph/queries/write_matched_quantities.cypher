// Sets how much cancellation lines have met.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer {id: row.buyerId})-[r:CANCELLED]->(o:Offer {id: row.offerId})
WHERE r.id = row.id
SET r.matchedQuantity = row.matchedQuantity
