// Every Event with all its properties, for a backup.
// parameters: none
// returns: id!, seq, type, buyerId, offerId, vendorId, categoryIds, score, rank,
//   modelVersion, occurredAt, payload
MATCH (n:Event)
RETURN n.id AS id, n.seq AS seq, n.type AS type, n.buyerId AS buyerId, n.offerId AS offerId,
  n.vendorId AS vendorId, n.categoryIds AS categoryIds, n.score AS score, n.rank AS rank,
  n.modelVersion AS modelVersion, n.occurredAt AS occurredAt, n.payload AS payload
