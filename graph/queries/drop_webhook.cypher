// Removes a webhook endpoint.
// parameters: id
// returns: none
MATCH (e:WebhookEndpoint) WHERE e.id = $id
DELETE e
