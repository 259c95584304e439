// A webhook endpoint's attempts of some states between two ids, oldest first.
// parameters: endpointId, states, above, bounded, below, limit
// returns: id, endpointId, eventId, seq, attempt, state, statusCode, error, milliseconds,
//   at!
MATCH (d:Delivery)
WHERE d.endpointId = $endpointId AND d.state IN $states AND d.id > $above
  AND (NOT $bounded OR d.id < $below)
RETURN d.id AS id, d.endpointId AS endpointId, d.eventId AS eventId, d.seq AS seq, d.attempt AS
  attempt, d.state AS state, d.statusCode AS statusCode, d.error AS error, d.milliseconds AS
  milliseconds, d.at AS at
  ORDER BY id LIMIT $limit
