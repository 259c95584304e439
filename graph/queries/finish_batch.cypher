// Makes what an import brought visible.
// parameters: id, finishedAt, seq, summary
// returns: none
MATCH (i:ImportBatch) WHERE i.id = $id
SET i.state = 'FINISHED', i.finishedAt = $finishedAt, i.seq = $seq, i.summary = $summary
