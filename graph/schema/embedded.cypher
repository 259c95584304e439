// Tables of the embedded engine; they are those of graph/tables.py.
CREATE NODE TABLE IF NOT EXISTS Buyer(
    id STRING PRIMARY KEY, name STRING, kind STRING, country STRING, latitude DOUBLE,
    longitude DOUBLE, createdAt TIMESTAMP, touchedAt TIMESTAMP, batchId STRING
);
CREATE NODE TABLE IF NOT EXISTS Vendor(
    id STRING PRIMARY KEY, name STRING, country STRING, latitude DOUBLE, longitude DOUBLE,
    touchedAt TIMESTAMP, batchId STRING
);
CREATE NODE TABLE IF NOT EXISTS Category(id STRING PRIMARY KEY, name STRING, batchId STRING);
CREATE NODE TABLE IF NOT EXISTS Offer(
    id STRING PRIMARY KEY, title STRING, description STRING, priceMinor INT64, currency STRING,
    availableQuantity INT64, status STRING, validFrom TIMESTAMP, validTo TIMESTAMP,
    latitude DOUBLE, longitude DOUBLE, createdAt TIMESTAMP, touchedAt TIMESTAMP, batchId STRING
);
CREATE NODE TABLE IF NOT EXISTS Event(
    id STRING PRIMARY KEY, seq INT64, type STRING, buyerId STRING, offerId STRING,
    vendorId STRING, categoryIds STRING[], score DOUBLE, rank INT64, modelVersion STRING,
    occurredAt TIMESTAMP, payload STRING
);
CREATE NODE TABLE IF NOT EXISTS MatchState(
    id STRING PRIMARY KEY, buyerId STRING, offerId STRING, announcedAt TIMESTAMP,
    lastScore DOUBLE, status STRING, terms STRING, modelVersion STRING
);
CREATE NODE TABLE IF NOT EXISTS MatchTop(
    id STRING PRIMARY KEY, top STRING, digestDay STRING, digestCount INT64
);
CREATE NODE TABLE IF NOT EXISTS Lease(
    id STRING PRIMARY KEY, holder STRING, epoch INT64, expiresAt TIMESTAMP,
    touchedAt TIMESTAMP
);
CREATE NODE TABLE IF NOT EXISTS ModelVersion(
    id STRING PRIMARY KEY, createdAt TIMESTAMP, metrics STRING, artifactSha256 STRING,
    stage STRING
);
CREATE NODE TABLE IF NOT EXISTS SchemaVersion(
    id STRING PRIMARY KEY, version INT64, graphId STRING, appliedAt TIMESTAMP
);
CREATE NODE TABLE IF NOT EXISTS Counter(id STRING PRIMARY KEY, value INT64);
CREATE NODE TABLE IF NOT EXISTS ImportBatch(
    id STRING PRIMARY KEY, state STRING, sourceFingerprint STRING, mappingName STRING,
    openedAt TIMESTAMP, finishedAt TIMESTAMP, seq INT64, summary STRING
);
CREATE NODE TABLE IF NOT EXISTS IdempotencyKey(
    id STRING PRIMARY KEY, bodyHash STRING, answer STRING, createdAt TIMESTAMP
);
CREATE NODE TABLE IF NOT EXISTS ApiKey(
    id STRING PRIMARY KEY, name STRING, role STRING, subject STRING, hash STRING,
    createdAt TIMESTAMP, expiresAt TIMESTAMP, revokedAt TIMESTAMP
);
CREATE NODE TABLE IF NOT EXISTS WebhookEndpoint(
    id STRING PRIMARY KEY, url STRING, name STRING, role STRING, subject STRING, apiKeyId STRING,
    filter STRING, position INT64, state STRING, secretVersion INT64, previousUntil TIMESTAMP,
    failures INT64, failingSince TIMESTAMP, nextAttemptAt TIMESTAMP, createdAt TIMESTAMP,
    lastError STRING, deadSeq INT64, deadCount INT64
);
CREATE NODE TABLE IF NOT EXISTS Delivery(
    id STRING PRIMARY KEY, endpointId STRING, eventId STRING, seq INT64, attempt INT64,
    state STRING, statusCode INT64, error STRING, milliseconds INT64, at TIMESTAMP
);
CREATE REL TABLE IF NOT EXISTS LISTS(FROM Vendor TO Offer);
CREATE REL TABLE IF NOT EXISTS IN_CATEGORY(FROM Offer TO Category);
CREATE REL TABLE IF NOT EXISTS SUBCATEGORY_OF(FROM Category TO Category);
CREATE REL TABLE IF NOT EXISTS PREFERS(
    FROM Buyer TO Category, weight DOUBLE, source STRING, batchId STRING
);
CREATE REL TABLE IF NOT EXISTS MATCHED(
    FROM Buyer TO Offer, score DOUBLE, rank INT64, modelVersion STRING, at TIMESTAMP,
    explanation STRING, explanationKind STRING, contribution DOUBLE
);
CREATE REL TABLE IF NOT EXISTS PURCHASED(
    FROM Buyer TO Offer, id STRING, orderId STRING, at TIMESTAMP, quantity INT64,
    unitPriceMinor INT64, currency STRING, cancelledQuantity INT64, cancelledAt TIMESTAMP,
    stockTaken INT64, context STRING, batchId STRING
);
CREATE REL TABLE IF NOT EXISTS CANCELLED(
    FROM Buyer TO Offer, id STRING, orderId STRING, at TIMESTAMP, quantity INT64,
    matchedQuantity INT64, batchId STRING
);
CREATE REL TABLE IF NOT EXISTS VIEWED(
    FROM Buyer TO Offer, id STRING, at TIMESTAMP, value DOUBLE, context STRING, batchId STRING
);
CREATE REL TABLE IF NOT EXISTS CLICKED(
    FROM Buyer TO Offer, id STRING, at TIMESTAMP, value DOUBLE, context STRING, batchId STRING
);
CREATE REL TABLE IF NOT EXISTS ADDED_TO_CART(
    FROM Buyer TO Offer, id STRING, at TIMESTAMP, value DOUBLE, context STRING, batchId STRING
);
CREATE REL TABLE IF NOT EXISTS INQUIRED_ABOUT(
    FROM Buyer TO Offer, id STRING, at TIMESTAMP, value DOUBLE, context STRING, batchId STRING
);
CREATE REL TABLE IF NOT EXISTS DISMISSED(
    FROM Buyer TO Offer, id STRING, at TIMESTAMP, value DOUBLE, context STRING, batchId STRING
);
// What the other engine calls by these names.
CREATE MACRO type(e) AS label(e);
CREATE MACRO datetime(s) AS timestamp(s);
