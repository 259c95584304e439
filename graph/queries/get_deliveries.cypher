// Attempts to deliver with these ids.
// parameters: ids
// returns: id, endpointId, eventId, seq, attempt, state, statusCode, error, milliseconds,
//   at!
MATCH (d:Delivery) WHERE d.id IN $ids
RETURN d.id AS id, d.endpointId AS endpointId, d.eventId AS eventId, d.seq AS seq, d.attempt AS
  attempt, d.state AS state, d.statusCode AS statusCode, d.error AS error, d.milliseconds AS
  milliseconds, d.at AS at
