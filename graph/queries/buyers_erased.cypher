// Buyers that were erased, by the ids of events.
// parameters: ids
// returns: buyerId
UNWIND $ids AS key
MATCH (e:Event {id: key}) WHERE e.type = 'BUYER_ERASED'
RETURN e.buyerId AS buyerId
