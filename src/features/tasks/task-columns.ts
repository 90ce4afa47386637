/**
 * The columns of a TaskRow, of the table or CTE `t`. What a statement tells in an event are these and
 * not `*`: the table has columns that nobody is shown.
 */
export const COLUMNS =
  't.id, t.title, t.description, t.status, t.priority, t.due_at, t.labels, t.position, t.city, t.weather, t.user_id, t.source, t.job, t.version, t.created_at, t.updated_at'
