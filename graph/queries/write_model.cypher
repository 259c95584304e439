// Keeps what is known of a model.
// parameters: id, createdAt, metrics, artifactSha256, stage
// returns: none
MERGE (m:ModelVersion {id: $id})
SET m.createdAt = $createdAt, m.metrics = $metrics, m.artifactSha256 = $artifactSha256,
  m.stage = $stage
