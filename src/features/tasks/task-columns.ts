/** The columns of a TaskRow, of the table or CTE `t`. */
export const COLUMNS =
  't.id, t.title, t.description, t.status, t.city, t.weather, t.user_id, t.source, t.job, t.version, t.created_at, t.updated_at'
