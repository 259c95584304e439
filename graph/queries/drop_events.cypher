// Removes the oldest rows of the event log, up to a seq.
// parameters: to
// returns: none
MATCH (e:Event) WHERE e.seq <= $to
DELETE e
