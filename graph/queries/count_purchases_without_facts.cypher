// Order lines that lack what every line has: written past Offerpath.
// parameters: none
// returns: found
MATCH (:Buyer)-[p:PURCHASED]->(:Offer)
WHERE p.id IS NULL OR p.at IS NULL OR p.quantity IS NULL
RETURN count(p) AS found
