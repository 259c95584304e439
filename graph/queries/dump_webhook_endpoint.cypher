// Every WebhookEndpoint with all its properties, for a backup.
// parameters: none
// returns: id!, url, name, role, subject, apiKeyId, filter, position, state, secretVersion,
//   previousUntil, failures, failingSince, nextAttemptAt, createdAt, lastError, deadSeq,
//   deadCount
MATCH (n:WebhookEndpoint)
RETURN n.id AS id, n.url AS url, n.name AS name, n.role AS role, n.subject AS subject,
  n.apiKeyId AS apiKeyId, n.filter AS filter, n.position AS position, n.state AS state,
  n.secretVersion AS secretVersion, n.previousUntil AS previousUntil, n.failures AS failures,
  n.failingSince AS failingSince, n.nextAttemptAt AS nextAttemptAt, n.createdAt AS createdAt,
  n.lastError AS lastError, n.deadSeq AS deadSeq, n.deadCount AS deadCount
