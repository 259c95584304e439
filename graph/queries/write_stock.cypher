// Sets what is left of offers.
// parameters: rows
// returns: none
UNWIND $rows AS row
MATCH (o:Offer {id: row.id})
SET o.availableQuantity = row.availableQuantity
