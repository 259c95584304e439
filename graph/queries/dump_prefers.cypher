// Every PREFERS relationship with its ends and all its properties, for a backup.
// parameters: none
// returns: from_id!, to_id!, weight!, source, batchId
MATCH (f:Buyer)-[r:PREFERS]->(t:Category)
RETURN f.id AS from_id, t.id AS to_id, r.weight AS weight, r.source AS source, r.batchId AS batchId
