// Cancellation lines of these buyers for these offers that have not met all they take back, pending
// imports apart. Returns more pairs than the two lists were zipped from.
// parameters: buyerIds, offerIds
// returns: buyerId!, offerId!, id, orderId, at!, quantity, matchedQuantity
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:CANCELLED]->(o:Offer)
WHERE b.id IN $buyerIds AND o.id IN $offerIds AND r.matchedQuantity < r.quantity
  AND (r.batchId IS NULL OR NOT r.batchId IN pending)
RETURN b.id AS buyerId, o.id AS offerId, r.id AS id, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.matchedQuantity AS matchedQuantity
