// Every ModelVersion with all its properties, for a backup.
// parameters: none
// returns: id!, createdAt, metrics, artifactSha256, stage
MATCH (n:ModelVersion)
RETURN n.id AS id, n.createdAt AS createdAt, n.metrics AS metrics, n.artifactSha256 AS artifactSha256,
  n.stage AS stage
