// Which vendor loses buyers to whom?
// Lost in a category: bought from one vendor before the last 90 days and not since, and from
// another in the last 90 days and not before. With up to two such buyers of each pair.
MATCH (:Buyer)-[p:PURCHASED]->(:Offer)
WITH max(p.at) - duration("P90D") AS cut
MATCH (b:Buyer)-[p:PURCHASED]->(o:Offer)-[:IN_CATEGORY]->(c:Category), (v:Vendor)-[:LISTS]->(o)
WHERE p.quantity > p.cancelledQuantity
WITH cut, b, c, v, min(p.at) AS first, max(p.at) AS last
WITH b, c, [x IN collect({v: v, left: last < cut}) WHERE x.left | x.v] AS lost,
  [x IN collect({v: v, came: first >= cut}) WHERE x.came | x.v] AS won
UNWIND lost AS loser
UNWIND won AS winner
WITH loser, winner, c, b ORDER BY b.id
WITH loser, winner, count(DISTINCT b) AS buyers, collect({b: b, c: c})[..2] AS some
ORDER BY buyers DESC, loser.id, winner.id LIMIT 5
UNWIND some AS x
WITH loser, winner, buyers, x.b AS b, x.c AS c
MATCH way = (loser)-[:LISTS]->(old:Offer)<-[:PURCHASED]-(b)-[:PURCHASED]->(new:Offer)<-[:LISTS]-(winner)
WHERE (old)-[:IN_CATEGORY]->(c) AND (new)-[:IN_CATEGORY]->(c)
WITH loser, winner, buyers, b, collect(way)[0] AS way
RETURN loser.name AS loses, winner.name AS to, buyers, collect(way) AS examples
ORDER BY buyers DESC, loses, to
