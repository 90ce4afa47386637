ALTER TABLE tasks ADD COLUMN done_at timestamptz, ADD COLUMN weather_due_at timestamptz;
COMMENT ON COLUMN tasks.done_at IS 'since when it has been done; null while it is not. That of tasks that were made done is created_at';
COMMENT ON COLUMN tasks.weather_due_at IS 'when the weather of its city is to be looked for again; null: it has it, has no city, or nobody knows it';

-- What was done before this was noted: its last change is the best that is known.
UPDATE tasks SET done_at = coalesce(updated_at, created_at) WHERE status = 'done';

CREATE INDEX tasks_done_at ON tasks (done_at) INCLUDE (created_at) WHERE done_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tasks_weather_due_at ON tasks (weather_due_at) WHERE weather_due_at IS NOT NULL AND deleted_at IS NULL;

-- By triggers, since many statements set a status or a city: of people, of jobs, of imports, of the previous release.
CREATE FUNCTION tasks_note_done() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.done_at := CASE WHEN NEW.status <> 'done' THEN NULL
    WHEN TG_OP = 'INSERT' THEN NEW.created_at ELSE clock_timestamp() END;
  RETURN NEW;
END
$$;
CREATE TRIGGER tasks_made_done BEFORE INSERT ON tasks FOR EACH ROW
  WHEN (NEW.status = 'done') EXECUTE FUNCTION tasks_note_done();
CREATE TRIGGER tasks_done BEFORE UPDATE OF status ON tasks FOR EACH ROW
  WHEN ((NEW.status = 'done') <> (OLD.status = 'done')) EXECUTE FUNCTION tasks_note_done();

CREATE FUNCTION tasks_note_weather() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.weather_due_at := CASE WHEN NEW.city IS NOT NULL AND NEW.weather IS NULL THEN clock_timestamp() END;
  RETURN NEW;
END
$$;
CREATE TRIGGER tasks_made_with_city BEFORE INSERT ON tasks FOR EACH ROW
  WHEN (NEW.city IS NOT NULL) EXECUTE FUNCTION tasks_note_weather();
CREATE TRIGGER tasks_city BEFORE UPDATE OF city, weather ON tasks FOR EACH ROW
  WHEN ((NEW.city, NEW.weather) IS DISTINCT FROM (OLD.city, OLD.weather)) EXECUTE FUNCTION tasks_note_weather();
