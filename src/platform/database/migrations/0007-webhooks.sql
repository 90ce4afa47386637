CREATE TABLE webhooks (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer REFERENCES users,
  url text NOT NULL,
  types text[],
  description text,
  enabled boolean NOT NULL DEFAULT true,
  disabled_reason text,
  failing_since timestamptz,
  paused_until timestamptz,
  after_event bigint NOT NULL DEFAULT 0,
  secret bytea NOT NULL,
  old_secret bytea,
  old_secret_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz
);
CREATE INDEX webhooks_user_id ON webhooks (user_id);
COMMENT ON COLUMN webhooks.user_id IS 'whose events it gets; null: the local operator''s, who gets all';
COMMENT ON COLUMN webhooks.types IS 'null: every type';
COMMENT ON COLUMN webhooks.failing_since IS 'the first failure after the last success';
COMMENT ON COLUMN webhooks.paused_until IS 'the receiver did not answer, or asked for time';
COMMENT ON COLUMN webhooks.after_event IS 'events up to this id were there before it';
COMMENT ON COLUMN webhooks.secret IS 'encrypted with a key derived from SECRET_KEY';
COMMENT ON COLUMN webhooks.old_secret IS 'signs along until old_secret_until';

CREATE TABLE webhook_deliveries (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook_id integer NOT NULL REFERENCES webhooks ON DELETE CASCADE,
  event_id text NOT NULL,
  event_user_id integer,
  type text NOT NULL,
  body text NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
  attempts integer NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  response_status integer,
  error text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_attempt_at timestamptz,
  next_attempt_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX webhook_deliveries_webhook_id ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at, id) WHERE state = 'waiting';
COMMENT ON TABLE webhook_deliveries IS 'one row for each event of each webhook that gets it; a job in the schema pgboss works off what is due at one webhook';
COMMENT ON COLUMN webhook_deliveries.body IS 'the envelope as it was told: the event may be purged before the last attempt';
COMMENT ON COLUMN webhook_deliveries.tries IS 'failed attempts since the first, or since a redelivery';
