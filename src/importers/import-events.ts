/** What the runner stores of its events is what clients read. */
export const importEventRenderers = {
  background_task_completed: (data: object) => data,
  background_task_failed: (data: object) => data,
}
