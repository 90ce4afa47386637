CREATE TABLE event_feeds (
  name text PRIMARY KEY,
  position bigint NOT NULL
);
COMMENT ON TABLE event_feeds IS 'up to which event id each consumer inside the system has taken the events';
