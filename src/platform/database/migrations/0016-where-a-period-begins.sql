-- The first id of the tasks that were created in a period or, backwards, the last one; null where there are none.
-- Ids grow with time almost always, but nothing says that they do. So this finds the first (or last) 4,096 ids among
-- which there is one of the period by a look into an index for each, and then the first of those, by the index alone.
-- It is a function because the plan of a function is kept; made anew, it costs a list more than its page does. A plan
-- may have been made when the table was small, so it must not be one that reads all of it.
CREATE FUNCTION task_id_of_period(since timestamptz, until timestamptz, backwards boolean) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
  RETURN (
    SELECT CASE WHEN backwards THEN max(id) ELSE min(id) END FROM (
      SELECT id FROM tasks
      WHERE deleted_at IS NULL AND created_at BETWEEN since AND until AND id >> 12 = (
        SELECT CASE WHEN backwards THEN max(block) ELSE min(block) END
        FROM generate_series(0, (SELECT max(id) >> 12 FROM tasks)) AS block,
          -- LIMIT keeps it a look for each; PostgreSQL would make a join of EXISTS, and read the whole period.
          LATERAL (
            SELECT FROM tasks
            WHERE deleted_at IS NULL AND created_at BETWEEN since AND until AND id >> 12 = block LIMIT 1
          ) AS one
      )
      -- OFFSET keeps it to that index: by the one on ids alone, PostgreSQL would pass all ids before those.
      OFFSET 0
    ) AS among
  );
END
$$;
