// How buyers have dealt with offers, counted per offer and kind; order lines that were taken back
// whole do not count, nor what has no time: it was deleted while it was read.
// parameters: ids
// returns: buyerId, offerId, kind, count, firstAt, lastAt
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:PURCHASED|VIEWED|CLICKED|ADDED_TO_CART|INQUIRED_ABOUT|DISMISSED]->(o:Offer)
WHERE b.id IN $ids AND r.at IS NOT NULL AND (r.batchId IS NULL OR NOT r.batchId IN pending)
  AND (r.quantity IS NULL OR r.quantity > coalesce(r.cancelledQuantity, 0))
RETURN b.id AS buyerId, o.id AS offerId, type(r) AS kind, count(r) AS count, min(r.at) AS firstAt,
  max(r.at) AS lastAt
