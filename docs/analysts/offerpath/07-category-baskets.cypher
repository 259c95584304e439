// Which categories are bought in one order?
// Lift: how many times more often together than if orders were filled by chance.
MATCH (:Buyer)-[p:PURCHASED]->(:Offer)-[:IN_CATEGORY]->(c:Category)
WHERE p.orderId IS NOT NULL AND p.quantity > p.cancelledQuantity
WITH p.orderId AS order, collect(DISTINCT c) AS categories
WITH collect(categories) AS baskets
UNWIND baskets AS basket
UNWIND basket AS c
WITH baskets, c, count(*) AS orders
WITH baskets, collect({c: c, orders: orders}) AS singles
UNWIND baskets AS basket
UNWIND basket AS one
UNWIND basket AS two
WITH singles, size(baskets) AS baskets, one, two WHERE one.id < two.id
WITH singles, baskets, one, two, count(*) AS together
WITH one, two, together, together * 1.0 * baskets
  / head([s IN singles WHERE s.c = one | s.orders])
  / head([s IN singles WHERE s.c = two | s.orders]) AS lift
WHERE together >= 5
ORDER BY lift DESC, one.id, two.id LIMIT 12
OPTIONAL MATCH above = (one)-[:SUBCATEGORY_OF]->(:Category)
OPTIONAL MATCH beside = (two)-[:SUBCATEGORY_OF]->(:Category)
RETURN one.name AS category, two.name AS with, together AS orders, round(lift, 2) AS lift,
  one, two, above, beside
ORDER BY lift DESC, one.id, two.id
