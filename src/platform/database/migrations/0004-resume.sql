CREATE TABLE event_horizon (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  purged_to bigint NOT NULL
);
COMMENT ON TABLE event_horizon IS 'up to which id events have been purged: who has read less than that cannot resume';
INSERT INTO event_horizon (purged_to)
SELECT coalesce(min(id) - 1, pg_sequence_last_value(pg_get_serial_sequence('events', 'id')::regclass), 0) FROM events;

CREATE INDEX events_user_id ON events (user_id, id) WHERE user_id IS NOT NULL;
