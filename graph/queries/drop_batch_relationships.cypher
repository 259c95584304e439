// Removes relationships that an import brought, some at a time.
// parameters: id, limit
// returns: removed
MATCH (:Buyer)-[r:PURCHASED|CANCELLED|VIEWED|CLICKED|ADDED_TO_CART|INQUIRED_ABOUT|DISMISSED]->(:Offer)
WHERE r.batchId = $id
WITH r LIMIT $limit
DELETE r
RETURN count(r) AS removed
