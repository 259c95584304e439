// How many nodes of any label there are, Offerpath's or not.
// parameters: none
// returns: nodes
MATCH (n)
RETURN count(n) AS nodes
