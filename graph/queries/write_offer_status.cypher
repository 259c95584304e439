// Sets the status of offers.
// parameters: ids, status
// returns: none
MATCH (o:Offer) WHERE o.id IN $ids
SET o.status = $status
