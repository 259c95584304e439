// Keeps attempts to deliver, each once.
// parameters: rows
// returns: none
UNWIND $rows AS row
MERGE (d:Delivery {id: row.id})
SET d.endpointId = row.endpointId, d.eventId = row.eventId, d.seq = row.seq,
  d.attempt = row.attempt, d.state = row.state, d.statusCode = row.statusCode,
  d.error = row.error, d.milliseconds = row.milliseconds, d.at = row.at
