// Which buyers are one purchase away from an offer?
// The offer: the one with most buyers. Its companions: the five offers closest to it by the buyers
// they share. Nearest are those who bought most of the companions, but not the offer.
MATCH (b:Buyer)-[p:PURCHASED]->(offer:Offer) WHERE p.quantity > p.cancelledQuantity
WITH offer, count(DISTINCT b) AS buyers ORDER BY buyers DESC, offer.id LIMIT 1
MATCH (offer)<-[p:PURCHASED]-(peer:Buyer)-[q:PURCHASED]->(companion:Offer)
WHERE companion <> offer AND p.quantity > p.cancelledQuantity AND q.quantity > q.cancelledQuantity
WITH offer, companion, count(DISTINCT peer) AS together
CALL (companion) {
  MATCH (x:Buyer)-[p:PURCHASED]->(companion) WHERE p.quantity > p.cancelledQuantity
  RETURN count(DISTINCT x) AS buyers
}
WITH offer, companion ORDER BY together / sqrt(buyers) DESC, companion.id LIMIT 5
MATCH (near:Buyer)-[line:PURCHASED]->(companion)
WHERE line.quantity > line.cancelledQuantity
  AND NOT EXISTS { (near)-[l:PURCHASED]->(offer) WHERE l.quantity > l.cancelledQuantity }
WITH offer, near, companion, head(collect(line)) AS bought ORDER BY companion.id
WITH offer, near, collect(companion) AS companions, collect(bought) AS lines
RETURN near.name AS name, size(companions) AS companionsBought, offer, near, companions, lines
ORDER BY companionsBought DESC, near.id LIMIT 10
