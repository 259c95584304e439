// Removes attempts of some states older than a time.
// parameters: states, before
// returns: none
MATCH (d:Delivery) WHERE d.state IN $states AND d.at < $before
DELETE d
