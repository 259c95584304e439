// Removes nodes that an import brought, some at a time.
// parameters: id, limit
// returns: removed
MATCH (n:Buyer|Vendor|Category|Offer) WHERE n.batchId = $id
WITH n LIMIT $limit
DETACH DELETE n
RETURN count(n) AS removed
