// Opens an import.
// parameters: id, sourceFingerprint, mappingName, openedAt
// returns: none
CREATE (i:ImportBatch {id: $id, state: 'PENDING', sourceFingerprint: $sourceFingerprint,
  mappingName: $mappingName, openedAt: $openedAt})
