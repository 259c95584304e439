// Id of the newest attempt behind the first so many of an endpoint, of some states.
// parameters: endpointId, states, keep
// returns: id
MATCH (d:Delivery) WHERE d.endpointId = $endpointId AND d.state IN $states
RETURN d.id AS id ORDER BY id DESC SKIP $keep LIMIT 1
