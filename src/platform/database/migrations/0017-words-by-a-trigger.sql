-- The words of a task are found by a trigger, and only when its texts change. A generated column is computed with each
-- update of any column where a table has a trigger before updates, and cannot keep the text between its parts; and
-- `translate` compares each letter to each of its 34 characters, which took longer than finding the words. Rows that are
-- there keep the words that they have, which are the same.
ALTER TABLE tasks ALTER COLUMN search DROP EXPRESSION;
COMMENT ON COLUMN tasks.search IS 'the words of title and description; kept by a trigger';

-- Punctuation parts words, so that `report.pdf` and `a@b.c` are found by each of theirs. Words stand there as they are
-- too, since what is still being typed has another stem. A title weighs more than a description.
CREATE FUNCTION tasks_note_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  punctuation CONSTANT text := '[-!"#$%&''()*+,./:;<=>?@[\\\]^_`{|}~]+';
  title text := replace(replace(regexp_replace(NEW.title, punctuation, ' ', 'g'), 'ё', 'е'), 'Ё', 'Е');
  description text := replace(replace(regexp_replace(NEW.description, punctuation, ' ', 'g'), 'ё', 'е'), 'Ё', 'Е');
BEGIN
  NEW.search := setweight(to_tsvector('task_words', title) || to_tsvector('simple', title), 'A');
  IF description <> '' THEN
    NEW.search := NEW.search || to_tsvector('task_words', description) || to_tsvector('simple', description);
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER tasks_made_with_words BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_note_words();
CREATE TRIGGER tasks_words BEFORE UPDATE OF title, description ON tasks FOR EACH ROW
  WHEN (NEW.title <> OLD.title OR NEW.description IS DISTINCT FROM OLD.description)
  EXECUTE FUNCTION tasks_note_words();

-- The id of a task that was purged is given to no other, so nothing has to be looked up for each task that is made or
-- purged: what is left of it here keeps it away.
ALTER TABLE imported_todos DROP CONSTRAINT imported_todos_task_id_fkey;
DROP INDEX imported_todos_task_id;
COMMENT ON COLUMN imported_todos.task_id IS 'maybe of a task that was purged since: it does not come back';
