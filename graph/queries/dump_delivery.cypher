// Every Delivery with all its properties, for a backup.
// parameters: none
// returns: id!, endpointId, eventId, seq, attempt, state, statusCode, error, milliseconds,
//   at
MATCH (n:Delivery)
RETURN n.id AS id, n.endpointId AS endpointId, n.eventId AS eventId, n.seq AS seq,
  n.attempt AS attempt, n.state AS state, n.statusCode AS statusCode, n.error AS error,
  n.milliseconds AS milliseconds, n.at AS at
