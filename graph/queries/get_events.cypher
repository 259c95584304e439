// Rows of the event log with these ids, in order.
// parameters: ids
// returns: seq, id, type, buyerId, offerId, vendorId, categoryIds, score, rank,
//   modelVersion, occurredAt!, payload
UNWIND $ids AS key
MATCH (e:Event {id: key})
RETURN e.seq AS seq, e.id AS id, e.type AS type, e.buyerId AS buyerId, e.offerId AS offerId,
  e.vendorId AS vendorId, e.categoryIds AS categoryIds, e.score AS score, e.rank AS rank,
  e.modelVersion AS modelVersion, e.occurredAt AS occurredAt, e.payload AS payload
  ORDER BY seq
