// Webhook endpoints with these ids.
// parameters: ids
// returns: id, url!, name, role, subject, apiKeyId, filter, position, state, secretVersion,
//   previousUntil, failures, failingSince, nextAttemptAt, createdAt, lastError, deadSeq,
//   deadCount
MATCH (e:WebhookEndpoint) WHERE e.id IN $ids
RETURN e.id AS id, e.url AS url, e.name AS name, e.role AS role, e.subject AS subject, e.apiKeyId AS
  apiKeyId, e.filter AS filter, e.position AS position, e.state AS state, e.secretVersion AS
  secretVersion, e.previousUntil AS previousUntil, e.failures AS failures, e.failingSince AS
  failingSince, e.nextAttemptAt AS nextAttemptAt, e.createdAt AS createdAt, e.lastError AS
  lastError, e.deadSeq AS deadSeq, e.deadCount AS deadCount
