// Keeps webhook endpoints as the rows say, new ones too.
// parameters: rows
// returns: none
UNWIND $rows AS row
MERGE (e:WebhookEndpoint {id: row.id})
SET e.url = row.url, e.name = row.name, e.role = row.role, e.subject = row.subject,
  e.apiKeyId = row.apiKeyId, e.filter = row.filter, e.position = row.position,
  e.state = row.state, e.secretVersion = row.secretVersion, e.previousUntil = row.previousUntil,
  e.failures = row.failures, e.failingSince = row.failingSince,
  e.nextAttemptAt = row.nextAttemptAt, e.createdAt = row.createdAt, e.lastError = row.lastError,
  e.deadSeq = row.deadSeq, e.deadCount = row.deadCount
