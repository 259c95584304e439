// Sets how much cancellation lines have met. The list of the buyers spares the embedded
// engine a scan of all lines.
// parameters: rows, buyerIds
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer)-[r:CANCELLED]->(:Offer)
WHERE b.id IN $buyerIds AND b.id = row.buyerId AND r.id = row.id
SET r.matchedQuantity = row.matchedQuantity
