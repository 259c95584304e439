// Locks webhook endpoints until the transaction ends.
// parameters: ids
// returns: id
MATCH (e:WebhookEndpoint) WHERE e.id IN $ids
SET e.deadCount = e.deadCount + 0
RETURN e.id AS id
