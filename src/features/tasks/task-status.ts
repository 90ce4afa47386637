export const statuses = ['todo', 'in_progress', 'done', 'failed'] as const
export type Status = (typeof statuses)[number]

/** From the lowest to the highest, which is their order in lists too. */
export const priorities = ['none', 'low', 'medium', 'high', 'urgent'] as const
export type Priority = (typeof priorities)[number]

/** How statuses are written: as they are stored, or with the names that clients of a queue use. */
export type StatusLabels = 'snake' | 'title'
const titles: Record<Status, string> = {
  todo: 'New',
  in_progress: 'In Progress',
  done: 'Completed',
  failed: 'Failed',
}
const byName = new Map(
  statuses.flatMap((status) => [
    [status, status],
    [titles[status].toLowerCase(), status],
  ]),
)

/** Returns the status with this name, in any letter case; undefined if there is none. */
export function parseStatus(name: string): Status | undefined {
  return byName.get(name.trim().toLowerCase())
}

/** Returns the function that writes a status. */
export function statusLabel(labels: StatusLabels): (status: Status) => string {
  return labels === 'title' ? (status) => titles[status] : (status) => status
}
