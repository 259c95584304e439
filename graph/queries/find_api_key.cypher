// The API key with a hash.
// parameters: hash
// returns: id, name, role, subject, hash, createdAt, expiresAt, revokedAt
MATCH (k:ApiKey) WHERE k.hash = $hash
RETURN k.id AS id, k.name AS name, k.role AS role, k.subject AS subject, k.hash AS hash,
  k.createdAt AS createdAt, k.expiresAt AS expiresAt, k.revokedAt AS revokedAt
