// Every model.
// parameters: none
// returns: id, createdAt, metrics, artifactSha256, stage
MATCH (m:ModelVersion)
RETURN m.id AS id, m.createdAt AS createdAt, m.metrics AS metrics, m.artifactSha256 AS artifactSha256,
  m.stage AS stage
