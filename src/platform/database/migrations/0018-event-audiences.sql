-- Events and deliveries say whom they are for. The release before this one still runs while this is applied: it writes
-- and reads user_id only, so user_id stays, and where there is no audience it follows from the type and user_id. A column
-- without a default is added without rewriting the table.
ALTER TABLE events ADD COLUMN audience text;
COMMENT ON COLUMN events.audience IS 'who may receive it: public, user:<id> or admins; null: follows from type and user_id';
ALTER TABLE webhook_deliveries ADD COLUMN event_audience text;
COMMENT ON COLUMN webhook_deliveries.event_audience IS 'audience of the event; null: follows from type and event_user_id';
