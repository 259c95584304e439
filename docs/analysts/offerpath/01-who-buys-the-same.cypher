// Who else buys what this buyer buys?
// The buyer: the one whose number of different offers is closest to 20.
// To ask about another, put  MATCH (me:Buyer {id: "B00001"})  in the place of the first three lines.
MATCH (me:Buyer)-[p:PURCHASED]->(o:Offer) WHERE p.quantity > p.cancelledQuantity
WITH me, count(DISTINCT o) AS offers
ORDER BY abs(offers - 20), me.id LIMIT 1
MATCH (me)-[p:PURCHASED]->(shared:Offer)<-[q:PURCHASED]-(other:Buyer)
WHERE other <> me AND p.quantity > p.cancelledQuantity AND q.quantity > q.cancelledQuantity
WITH me, other, shared, head(collect(p)) AS mine, head(collect(q)) AS theirs
ORDER BY shared.id
WITH me, other, collect(shared) AS sharedOffers, collect(mine) AS mine, collect(theirs) AS theirs
ORDER BY size(sharedOffers) DESC, other.id LIMIT 5
RETURN me, other, sharedOffers, mine, theirs, size(sharedOffers) AS inCommon
ORDER BY inCommon DESC, other.id
