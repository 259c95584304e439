// Every CLICKED relationship with its ends and all its properties, for a backup.
// parameters: none
// returns: from_id!, to_id!, id!, at, value, context, batchId
MATCH (f:Buyer)-[r:CLICKED]->(t:Offer)
RETURN f.id AS from_id, t.id AS to_id, r.id AS id, r.at AS at, r.value AS value, r.context AS context,
  r.batchId AS batchId
