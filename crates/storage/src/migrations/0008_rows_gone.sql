-- What the segments have now.
DROP TABLE exchange_channels;
DROP TABLE exchanges;
