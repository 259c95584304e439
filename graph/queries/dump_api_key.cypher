// Every ApiKey with all its properties, for a backup.
// parameters: none
// returns: id!, name, role, subject, hash, createdAt, expiresAt, revokedAt
MATCH (n:ApiKey)
RETURN n.id AS id, n.name AS name, n.role AS role, n.subject AS subject, n.hash AS hash,
  n.createdAt AS createdAt, n.expiresAt AS expiresAt, n.revokedAt AS revokedAt
