-- Exchanges are kept many in a row: to write one costs a tenth of what a row of its own costs, and lists that are
-- read from the newest on find their page as fast as with an index for each condition.
--
-- Numbers go without gaps from first to last; exchanges began between oldest and newest. AUTOINCREMENT: the number of
-- an exchange that is gone is never given again. The exchanges stand last, so that the rest is read without them.
CREATE TABLE exchange_segments (
    last      INTEGER PRIMARY KEY AUTOINCREMENT,
    first     INTEGER NOT NULL CHECK (first BETWEEN 1 AND last),
    oldest    INTEGER NOT NULL,
    newest    INTEGER NOT NULL,
    exchanges BLOB    NOT NULL  -- see exchanges/segment.rs
) STRICT;
