// Keeps an API key.
// parameters: id, name, role, subject, hash, createdAt, expiresAt, revokedAt
// returns: none
MERGE (k:ApiKey {id: $id})
SET k.name = $name, k.role = $role, k.subject = $subject, k.hash = $hash, k.createdAt = $createdAt,
  k.expiresAt = $expiresAt, k.revokedAt = $revokedAt
