// Revokes an API key; the first time counts.
// parameters: id, at
// returns: id
MATCH (k:ApiKey) WHERE k.id = $id
SET k.revokedAt = coalesce(k.revokedAt, $at)
RETURN k.id AS id
