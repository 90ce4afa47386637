import { type TaskRow, taskExample } from '../tasks/index.ts'
import { contentLine, icalComponent, icalText, icalUtc } from './ical.ts'

const REFRESH = 'PT15M'

// RFC 5545 uses CANCELLED for a to-do that ended without being done.
const statuses = { todo: 'NEEDS-ACTION', in_progress: 'IN-PROCESS', done: 'COMPLETED', failed: 'CANCELLED' }
/** Priorities of RFC 5545: 1 is the highest, 5 is medium (section 3.8.1.9). */
const priorities = { none: undefined, low: '7', medium: '5', high: '3', urgent: '1' }

/** The start of a calendar. The output of `calendarTask` for each task and CALENDAR_END follow. */
export const CALENDAR_BEGIN = [
  'BEGIN:VCALENDAR\r\n',
  ...(
    [
      ['VERSION', '2.0'],
      ['PRODID', '-//Taskwire//Tasks//EN'],
      ['CALSCALE', 'GREGORIAN'],
      ['NAME', 'Taskwire'],
      ['X-WR-CALNAME', 'Taskwire'],
      ['REFRESH-INTERVAL;VALUE=DURATION', REFRESH],
      ['X-PUBLISHED-TTL', REFRESH],
    ] as const
  ).map(contentLine),
].join('')
export const CALENDAR_END = 'END:VCALENDAR\r\n'

/**
 * Returns a task as a VTODO and, if it has a due time, also as a VEVENT, for calendars that show no to-dos.
 * `site` makes their UIDs globally unique.
 */
export function calendarTask(task: TaskRow, site: string): string {
  const { id, title, description, city, labels, due_at: due, created_at: created } = task
  const changed = icalUtc(task.updated_at ?? created)
  const priority = priorities[task.priority]
  const common = [
    ['DTSTAMP', changed],
    ['CREATED', icalUtc(created)],
    ['LAST-MODIFIED', changed],
    ['SEQUENCE', String(task.version - 1)],
    ['SUMMARY', icalText(title)],
    description ? (['DESCRIPTION', icalText(description)] as const) : undefined,
    city ? (['LOCATION', icalText(city)] as const) : undefined,
    labels.length > 0 ? (['CATEGORIES', labels.map(icalText).join(',')] as const) : undefined,
    priority ? (['PRIORITY', priority] as const) : undefined,
  ] as const
  const toDo = icalComponent('VTODO', [
    ['UID', `task-${id}@${site}`],
    ...common,
    ['STATUS', statuses[task.status]],
    task.status === 'done' ? ['PERCENT-COMPLETE', '100'] : undefined,
    due ? ['DUE', icalUtc(due)] : undefined,
  ])
  if (!due) return toDo
  // An event without an end takes no time, and TRANSPARENT does not mark its owner as busy.
  const event = icalComponent('VEVENT', [
    ['UID', `task-${id}-due@${site}`],
    ...common,
    ['DTSTART', icalUtc(due)],
    ['TRANSP', 'TRANSPARENT'],
  ])
  return toDo + event
}

export const EXAMPLE = CALENDAR_BEGIN + calendarTask(taskExample as TaskRow, 'example') + CALENDAR_END
