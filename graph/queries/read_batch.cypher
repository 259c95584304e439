// One import.
// parameters: id
// returns: id, state!, sourceFingerprint, mappingName, openedAt, finishedAt, seq, summary
MATCH (i:ImportBatch) WHERE i.id = $id
RETURN i.id AS id, i.state AS state, i.sourceFingerprint AS sourceFingerprint,
  i.mappingName AS mappingName, i.openedAt AS openedAt, i.finishedAt AS finishedAt, i.seq AS seq,
  i.summary AS summary
