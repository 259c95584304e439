// Which buyers buy with unusual variety?
// Entropy of a buyer's categories in bits, against buyers of its kind, in standard deviations;
// the two farthest above, with one offer of each category.
MATCH (b:Buyer)-[p:PURCHASED]->(:Offer)-[:IN_CATEGORY]->(c:Category)
WHERE p.quantity > p.cancelledQuantity
WITH b, c, count(p) AS lines
WITH b, collect(lines) AS parts, sum(lines) AS total WHERE total >= 10
WITH b, total, size(parts) AS categories,
  reduce(h = 0.0, n IN parts | h - n * log(1.0 * n / total) / total) / log(2) AS bits
WITH b.kind AS kind, avg(bits) AS usual, stDev(bits) AS spread,
  collect({b: b, bits: bits, total: total, categories: categories}) AS buyers
UNWIND buyers AS x
WITH x.b AS buyer, kind, x.total AS lines, x.categories AS categories, x.bits AS bits, usual,
  CASE WHEN spread > 0 THEN (x.bits - usual) / spread ELSE 0.0 END AS deviations
ORDER BY deviations DESC, buyer.id LIMIT 2
MATCH (buyer)-[p:PURCHASED]->(offer:Offer)-[:IN_CATEGORY]->(c:Category)
WHERE p.quantity > p.cancelledQuantity
WITH buyer, kind, lines, categories, bits, usual, deviations, c, min(p.id) AS line
MATCH way = (buyer)-[p:PURCHASED]->(:Offer)-[:IN_CATEGORY]->(c) WHERE p.id = line
RETURN buyer.name AS name, kind, lines, categories, round(bits, 2) AS bits,
  round(usual, 2) AS usualForItsKind, round(deviations, 1) AS deviations, collect(way) AS ways
ORDER BY deviations DESC, name
