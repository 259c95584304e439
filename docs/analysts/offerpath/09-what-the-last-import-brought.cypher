// What did the last import bring?
// Rows that carry its batch, by label and type; what a later import changed counts for that one.
MATCH (i:ImportBatch) WHERE i.state = "FINISHED"
WITH i ORDER BY i.seq DESC LIMIT 1
CALL (i) {
  MATCH (n:Buyer|Vendor|Category|Offer) WHERE n.batchId = i.id
  RETURN labels(n)[0] AS what, count(*) AS rows, null AS firstAt, null AS lastAt
  UNION ALL
  MATCH (:Buyer)-[r:PURCHASED|CANCELLED|VIEWED|CLICKED|ADDED_TO_CART|INQUIRED_ABOUT|DISMISSED]
    ->(:Offer) WHERE r.batchId = i.id
  RETURN type(r) AS what, count(*) AS rows, min(r.at) AS firstAt, max(r.at) AS lastAt
  UNION ALL
  MATCH (:Buyer)-[r:PREFERS]->(:Category) WHERE r.batchId = i.id
  RETURN type(r) AS what, count(*) AS rows, null AS firstAt, null AS lastAt
}
RETURN i.id AS batch, i.mappingName AS mapping, i.finishedAt AS finishedAt, what, rows,
  date(firstAt) AS firstDay, date(lastAt) AS lastDay
ORDER BY rows DESC, what
