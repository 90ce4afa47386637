CREATE TYPE task_priority AS ENUM ('none', 'low', 'medium', 'high', 'urgent');

-- Where a task stands in the manual order: keys that sort by their bytes, with room for others between any two.
-- New tasks come after all the others and those moved to the front before them, each by a counter of its own.
CREATE SEQUENCE task_places_last AS integer;
CREATE SEQUENCE task_places_first AS integer INCREMENT -1;
CREATE FUNCTION task_place(n integer) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT lpad(to_hex(2147483648 + n), 8, '0') || 'i' $$;

-- The tasks that are there get their places by id, in the one rewrite of the table that the column needs anyway.
ALTER TABLE tasks
  ADD COLUMN priority task_priority NOT NULL DEFAULT 'none',
  ADD COLUMN due_at timestamptz,
  ADD COLUMN labels text[] NOT NULL DEFAULT '{}' CHECK (cardinality(labels) <= 20),
  ADD COLUMN position text COLLATE "C" NOT NULL GENERATED ALWAYS AS (task_place(id)) STORED;
SELECT setval('task_places_last', coalesce(max(id), 0) + 1, false) FROM tasks;
ALTER TABLE tasks ALTER COLUMN position DROP EXPRESSION;
ALTER TABLE tasks ALTER COLUMN position SET DEFAULT task_place(nextval('task_places_last')::integer);
COMMENT ON COLUMN tasks.position IS 'a fraction in base 36: a task is moved by giving it one between those of its new neighbours';

-- For the neighbours of a place, and for lists in the manual order. Not unique: two that are the same are told apart by id.
CREATE INDEX tasks_position ON tasks (position, id);
