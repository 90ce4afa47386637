-- Words of both languages by their stems; nothing is a stop word, for its beginning may be that of another.
CREATE TEXT SEARCH DICTIONARY task_russian (TEMPLATE = pg_catalog.snowball, LANGUAGE = russian);
CREATE TEXT SEARCH DICTIONARY task_english (TEMPLATE = pg_catalog.snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION task_words (COPY = pg_catalog.russian);
ALTER TEXT SEARCH CONFIGURATION task_words ALTER MAPPING REPLACE russian_stem WITH task_russian;
ALTER TEXT SEARCH CONFIGURATION task_words ALTER MAPPING REPLACE english_stem WITH task_english;

-- Punctuation parts words, so that `report.pdf` and `a@b.c` are found by each of theirs. Words stand there as they are
-- too, since what is still being typed has another stem. A title weighs more than a description.
ALTER TABLE tasks ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
  setweight(
    to_tsvector('task_words', translate(title, 'Ёё!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', 'Ее' || repeat(' ', 32)))
    || to_tsvector('simple', translate(title, 'Ёё!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', 'Ее' || repeat(' ', 32))), 'A')
  || to_tsvector('task_words', translate(coalesce(description, ''), 'Ёё!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', 'Ее' || repeat(' ', 32)))
  || to_tsvector('simple', translate(coalesce(description, ''), 'Ёё!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', 'Ее' || repeat(' ', 32)))
) STORED;

-- For searches. What is new waits in a list that every search goes through, so that list is kept short.
CREATE INDEX tasks_search ON tasks USING gin (search) WITH (gin_pending_list_limit = 256) WHERE deleted_at IS NULL;
-- For lists by status, and to count them.
CREATE INDEX tasks_status ON tasks (status, id) WHERE deleted_at IS NULL;
-- For the order by created_at, and for periods of it.
CREATE INDEX tasks_created_at ON tasks (created_at, id) WHERE deleted_at IS NULL;
-- For periods of created_at in the order of ids: which of each 4,096 ids there is one in.
CREATE INDEX tasks_created_among ON tasks ((id >> 12), created_at) WHERE deleted_at IS NULL;

-- A task that has none of these costs nothing here. City and status are there so that counting needs the index only.
CREATE INDEX tasks_due_at ON tasks (due_at, id) INCLUDE (status) WHERE deleted_at IS NULL AND due_at IS NOT NULL;
CREATE INDEX tasks_city ON tasks (lower(city), id) INCLUDE (city) WHERE deleted_at IS NULL AND city IS NOT NULL;
CREATE INDEX tasks_priority ON tasks (priority, id) WHERE deleted_at IS NULL AND priority <> 'none';
CREATE INDEX tasks_labels ON tasks USING gin (labels) WHERE deleted_at IS NULL AND labels <> '{}';
