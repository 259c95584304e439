// Rows of some types of the event log behind a seq, in order.
// parameters: after, types, limit
// returns: seq, id, type, buyerId, offerId, vendorId, categoryIds, score, rank,
//   modelVersion, occurredAt!, payload
MATCH (e:Event) WHERE e.seq > $after AND e.type IN $types
RETURN e.seq AS seq, e.id AS id, e.type AS type, e.buyerId AS buyerId, e.offerId AS offerId,
  e.vendorId AS vendorId, e.categoryIds AS categoryIds, e.score AS score, e.rank AS rank,
  e.modelVersion AS modelVersion, e.occurredAt AS occurredAt, e.payload AS payload
  ORDER BY seq LIMIT $limit
