// CLICKED interactions with these ids, pending imports included.
// parameters: ids
// returns: buyerId!, offerId!, id, at!, value, context, batchId
MATCH (b:Buyer)-[r:CLICKED]->(o:Offer) WHERE r.id IN $ids
RETURN b.id AS buyerId, o.id AS offerId, r.id AS id, r.at AS at, r.value AS value,
  r.context AS context, r.batchId AS batchId
