// Which offers bridge two categories?
// An offer of one category that is bought in one order with offers of another: the strongest such
// bridge of each category, with one of the orders.
MATCH (from:Category)<-[:IN_CATEGORY]-(bridge:Offer)<-[p:PURCHASED]-(b:Buyer)
WHERE p.orderId IS NOT NULL AND p.quantity > p.cancelledQuantity
MATCH (b)-[q:PURCHASED {orderId: p.orderId}]->(other:Offer)-[:IN_CATEGORY]->(to:Category)
WHERE to <> from AND NOT (bridge)-[:IN_CATEGORY]->(to) AND q.quantity > q.cancelledQuantity
WITH from, bridge, to, count(DISTINCT p.orderId) AS orders, min([p.orderId, other.id]) AS example
ORDER BY orders DESC, bridge.id, to.id
WITH from, collect({bridge: bridge, to: to, orders: orders, example: example})[0] AS best
ORDER BY best.orders DESC, from.id LIMIT 8
WITH from, best.bridge AS bridge, best.to AS to, best.orders AS orders, best.example AS example
MATCH path = (from)<-[:IN_CATEGORY]-(bridge)<-[:PURCHASED {orderId: example[0]}]-(:Buyer)
  -[:PURCHASED {orderId: example[0]}]->(:Offer {id: example[1]})-[:IN_CATEGORY]->(to)
RETURN bridge.title AS offer, from.name AS category, to.name AS boughtWith, orders,
  collect(path)[0] AS anExample
ORDER BY orders DESC, offer
