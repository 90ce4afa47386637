CREATE TABLE currencies (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z]{3}$' AND code <> 'RUB'),
  rate numeric NOT NULL CHECK (rate BETWEEN 1e-12 AND 1e12),
  nominal integer NOT NULL CHECK (nominal BETWEEN 1 AND 10000),
  name text CHECK (char_length(name) BETWEEN 1 AND 100),
  source text NOT NULL CHECK (source IN ('cbr', 'manual', 'remote')),
  rated_at timestamptz NOT NULL,
  version integer NOT NULL DEFAULT 1
);
COMMENT ON COLUMN currencies.rate IS 'roubles for one unit, exact';
COMMENT ON COLUMN currencies.nominal IS 'for how many units the bank quotes it; for people, the rate is of one';
COMMENT ON COLUMN currencies.rated_at IS 'of an official rate the beginning of its day in UTC, of others the moment they were set';

CREATE TABLE currency_rates (
  currency_id uuid NOT NULL REFERENCES currencies ON DELETE CASCADE,
  at timestamptz NOT NULL,
  source text NOT NULL CHECK (source IN ('cbr', 'manual', 'remote')),
  rate numeric NOT NULL CHECK (rate BETWEEN 1e-12 AND 1e12),
  PRIMARY KEY (currency_id, at, source)
);
COMMENT ON TABLE currency_rates IS 'history: every rate that a currency has had, and official ones of the days before';

-- What is nobody's own is told to everybody: whoever resumes finds it here, beside their own.
CREATE INDEX events_of_currencies ON events (id)
  WHERE type IN ('currency_created', 'currency_updated', 'currency_deleted', 'add_data_from_remote_source');

-- What the bank said last of each currency: the common ancestor of the merge with what was changed here.
CREATE TABLE imported_currencies (
  code text PRIMARY KEY,
  date date NOT NULL,
  rate numeric NOT NULL,
  nominal integer NOT NULL,
  name text NOT NULL
);
COMMENT ON TABLE imported_currencies IS 'a currency that was deleted stays here, so that it does not come back';

CREATE TABLE currency_days (day date PRIMARY KEY);
COMMENT ON TABLE currency_days IS 'days whose official rates were asked for: the back-fill goes on with the others';

CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE installation IS 'by which name the processes on this database are one to others; made at the first use';

CREATE TABLE nats_inbox (
  message text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX nats_inbox_at ON nats_inbox (at);
COMMENT ON TABLE nats_inbox IS 'messages that were taken, written in the transaction that takes them: one that comes again is known';
