// Every ImportBatch with all its properties, for a backup.
// parameters: none
// returns: id!, state, sourceFingerprint, mappingName, openedAt, finishedAt, seq, summary
MATCH (n:ImportBatch)
RETURN n.id AS id, n.state AS state, n.sourceFingerprint AS sourceFingerprint,
  n.mappingName AS mappingName, n.openedAt AS openedAt, n.finishedAt AS finishedAt, n.seq AS seq,
  n.summary AS summary
