// Every CANCELLED relationship with its ends and all its properties, for a backup.
// parameters: none
// returns: from_id!, to_id!, id!, orderId, at, quantity, matchedQuantity, batchId
MATCH (f:Buyer)-[r:CANCELLED]->(t:Offer)
RETURN f.id AS from_id, t.id AS to_id, r.id AS id, r.orderId AS orderId, r.at AS at,
  r.quantity AS quantity, r.matchedQuantity AS matchedQuantity, r.batchId AS batchId
