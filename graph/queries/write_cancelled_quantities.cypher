// Sets what was taken back of order lines. The list of the buyers spares the embedded
// engine a scan of all lines.
// parameters: rows, buyerIds
// returns: none
UNWIND $rows AS row
MATCH (b:Buyer)-[r:PURCHASED]->(:Offer)
WHERE b.id IN $buyerIds AND b.id = row.buyerId AND r.id = row.id
SET r.cancelledQuantity = row.cancelledQuantity, r.cancelledAt = row.cancelledAt,
  r.stockTaken = row.stockTaken
