// Why do these offers match this buyer?
// The first five matches of the buyer whose number of different offers is closest to 20, with the
// strongest reason and the ways from the buyer to the offer. Needs published matches.
MATCH (me:Buyer)-[p:PURCHASED]->(o:Offer) WHERE p.quantity > p.cancelledQuantity
WITH me, count(DISTINCT o) AS offers
ORDER BY abs(offers - 20), me.id LIMIT 1
MATCH match = (me)-[m:MATCHED]->(offer:Offer) WHERE m.rank <= 5
OPTIONAL MATCH preferred = (me)-[:PREFERS]->(:Category)<-[:SUBCATEGORY_OF*0..7]-(:Category)
  <-[:IN_CATEGORY]-(offer)
WITH me, match, m, offer, collect(preferred) AS preferred
CALL (me, offer) {
  MATCH (me)-[line:PURCHASED]->(own:Offer)-[:IN_CATEGORY]->(c:Category)<-[:IN_CATEGORY]-(offer)
  WHERE own <> offer AND line.quantity > line.cancelledQuantity
  WITH own, c, min(line.id) AS id ORDER BY own.id LIMIT 2
  MATCH way = (me)-[line:PURCHASED]->(own)-[:IN_CATEGORY]->(c)<-[:IN_CATEGORY]-(offer)
  WHERE line.id = id
  RETURN collect(way) AS sameCategory
}
CALL (me, offer) {
  MATCH (me)-[p:PURCHASED]->(own:Offer)<-[q:PURCHASED]-(peer:Buyer)-[r:PURCHASED]->(offer)
  WHERE own <> offer AND peer <> me AND p.quantity > p.cancelledQuantity
    AND q.quantity > q.cancelledQuantity AND r.quantity > r.cancelledQuantity
  RETURN count(DISTINCT peer) AS peers
}
RETURN m.rank AS rank, offer.title AS title, m.score AS score, m.explanationKind AS kind,
  m.explanation AS why, m.contribution AS contribution, peers, match, preferred, sameCategory
ORDER BY rank
