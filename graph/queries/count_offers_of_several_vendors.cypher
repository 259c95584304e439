// Offers that more than one vendor lists: written past Offerpath.
// parameters: none
// returns: found
MATCH (:Vendor)-[l:LISTS]->(o:Offer)
WITH o, count(l) AS vendors
WHERE vendors > 1
RETURN count(o) AS found
