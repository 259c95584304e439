// Which offers rise?
// Buyers in the last 28 days against the 28 days before; smoothed, so that 1 after 0 is no rise.
MATCH (:Buyer)-[p:PURCHASED]->(:Offer)
WITH max(p.at) AS now
MATCH (b:Buyer)-[p:PURCHASED]->(offer:Offer)
WHERE p.quantity > p.cancelledQuantity AND p.at > now - duration("P56D")
WITH offer, CASE WHEN p.at > now - duration("P28D") THEN b END AS late,
  CASE WHEN p.at <= now - duration("P28D") THEN b END AS early
WITH offer, count(DISTINCT late) AS recent, count(DISTINCT early) AS before
WHERE recent > before
ORDER BY (recent + 2.0) / (before + 2.0) DESC, recent DESC, offer.id LIMIT 12
OPTIONAL MATCH category = (offer)-[:IN_CATEGORY]->(:Category)
OPTIONAL MATCH vendor = (:Vendor)-[:LISTS]->(offer)
RETURN offer.title AS title, recent, before, offer, collect(category) AS categories,
  collect(vendor) AS vendors
ORDER BY (recent + 2.0) / (before + 2.0) DESC, recent DESC, offer.id
