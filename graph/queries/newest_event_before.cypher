// The last row of the event log that happened before a time.
// parameters: before
// returns: seq
MATCH (e:Event) WHERE e.occurredAt < $before
RETURN max(e.seq) AS seq
