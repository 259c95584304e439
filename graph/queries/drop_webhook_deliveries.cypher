// Removes the delivery log of a webhook endpoint.
// parameters: id
// returns: none
MATCH (d:Delivery) WHERE d.endpointId = $id
DELETE d
