// Cancellation lines with these ids, pending imports included.
// parameters: ids
// returns: buyerId!, offerId!, id, orderId, at!, quantity, matchedQuantity, batchId
MATCH (b:Buyer)-[r:CANCELLED]->(o:Offer) WHERE r.id IN $ids
RETURN b.id AS buyerId, o.id AS offerId, r.id AS id, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.matchedQuantity AS matchedQuantity,
  r.batchId AS batchId
