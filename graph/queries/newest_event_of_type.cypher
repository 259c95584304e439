// What the newest event of a type said, up to a seq.
// parameters: type, until
// returns: seq, payload
MATCH (e:Event) WHERE e.type = $type AND e.seq <= $until
RETURN e.seq AS seq, e.payload AS payload
  ORDER BY seq DESC LIMIT 1
