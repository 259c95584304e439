// Every interaction, pending imports apart.
// parameters: none
// returns: id, buyerId!, offerId!, kind, at!, value, context
OPTIONAL MATCH (p:ImportBatch) WHERE p.state = 'PENDING'
WITH collect(p.id) AS pending
MATCH (b:Buyer)-[r:VIEWED|CLICKED|ADDED_TO_CART|INQUIRED_ABOUT|DISMISSED]->(o:Offer)
WHERE (r.batchId IS NULL OR NOT r.batchId IN pending)
RETURN r.id AS id, b.id AS buyerId, o.id AS offerId, type(r) AS kind, r.at AS at,
  r.value AS value, r.context AS context
