// Removes an endpoint's attempts of some states up to an id.
// parameters: endpointId, states, to
// returns: none
MATCH (d:Delivery)
WHERE d.endpointId = $endpointId AND d.state IN $states AND d.id <= $to
DELETE d
