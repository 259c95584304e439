// How far do the matches reach each vendor?
// The share of a vendor's offers that match anybody, the buyers reached, and its three most matched
// offers; the vendors with most offers. Needs published matches.
MATCH (vendor:Vendor)-[:LISTS]->(offer:Offer) WHERE offer.status = "ACTIVE"
OPTIONAL MATCH (offer)<-[m:MATCHED]-(b:Buyer)
WITH vendor, offer, count(b) AS matches, collect(b) AS reached
ORDER BY matches DESC, offer.id
WITH vendor, collect(offer) AS offers, sum(CASE WHEN matches > 0 THEN 1 ELSE 0 END) AS matched,
  sum(matches) AS matches, reduce(all = [], r IN collect(reached) | all + r) AS reached
ORDER BY size(offers) DESC, vendor.id LIMIT 10
WITH vendor, offers, matched, matches, COUNT { UNWIND reached AS b RETURN DISTINCT b } AS buyers
UNWIND offers[..3] AS offer
MATCH way = (vendor)-[:LISTS]->(offer)
RETURN vendor.name AS name, size(offers) AS offersListed, matched AS offersMatched,
  round(100.0 * matched / size(offers)) AS percent, matches, buyers, collect(way) AS mostMatched
ORDER BY offersListed DESC, name
