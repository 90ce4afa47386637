// Generated from docs/openapi.json and docs/asyncapi.json.
// Where they have changed: npx vitest run packages/client/test/api-types.test.ts -u

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  /** Path of the request */
  instance: string
  /** All errors of the request, for 422 */
  errors?: Array<{
    path: string
    message: string
  }>
}

export interface Task {
  id: number
  title: string
  description: string | null
  status: string
  /** The same as status == done */
  completed: boolean
  priority: 'none' | 'low' | 'medium' | 'high' | 'urgent'
  due_at: string | null
  labels: string[]
  /** Its place in the manual order, which is that of these keys by their bytes; `sort=position` */
  position: string
  city: string | null
  /** Of the city, from when the task got it; null: it has no city, nobody knows it, or it is yet to be filled in */
  weather: {
    /** °C */
    temperature: number
    condition: 'Clear' | 'Partly cloudy' | 'Cloudy' | 'Fog' | 'Haze' | 'Dust' | 'Drizzle' | 'Rain' | 'Snow' | 'Thunderstorm' | 'Squalls' | 'Tornado'
    /** % */
    humidity: number
    /** m/s */
    wind_speed: number
    observed_at: string
    provider: string
  } | null
  user_id: number | null
  /** The importer’s source it came from */
  source: string | null
  /** null: a task of people, which no worker touches */
  job: {
    type: string
    /** Without its secrets */
    input: Record<string, unknown>
    state: 'queued' | 'running' | 'succeeded' | 'failed'
    /** Begun since it was last queued */
    attempts: number
    max_attempts: number
    /** When it is, or was last, to be run */
    due_at: string
    /** What the job type gives; at most 16 KiB */
    result: unknown
    /** Of the last attempt */
    error: string | null
  } | null
  /** Grows with each change; the ETag */
  version: number
  created_at: string
  updated_at: string | null
  /** Only of those in the trash, where they are listed */
  deleted_at?: string
}

export interface NoopInput {
  /** How long it takes; 0 when absent */
  duration_ms?: number
  /** So many attempts fail before one succeeds */
  failures?: number
}

export interface NoopJob {
  type: 'noop'
  input?: NoopInput
  /** 5 when absent */
  max_attempts?: number
}

export interface HttpInput {
  /** Public addresses, and hosts of JOB_HTTP_ALLOW */
  url: string
  /** GET when absent */
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Those that let one in somewhere are kept, but never shown again */
  headers?: Record<string, string>
  /** Text is sent as it is, anything else as JSON */
  body?: string | Record<string, unknown> | unknown[]
  /** 30 when absent */
  timeout_seconds?: number
}

export interface HttpJob {
  type: 'http'
  input: HttpInput
  /** 5 when absent */
  max_attempts?: number
}

export interface ImportInput {
  importer: 'todos' | 'currencies'
}

export interface ImportJob {
  type: 'import'
  input: ImportInput
  /** 5 when absent */
  max_attempts?: number
}

export interface CreateOperation {
  op: 'create'
  task: {
    /** Counted after trimming */
    title: string
    description?: string | null
    /** Also taken, in any letter case: New, In Progress, Completed, Failed */
    status?: 'todo' | 'in_progress' | 'done' | 'failed'
    /** The same as status == done */
    completed?: boolean
    priority?: 'none' | 'low' | 'medium' | 'high' | 'urgent'
    due_at?: string | null
    /** In this order; of equal ones the first counts */
    labels?: string[]
    city?: string | null
    /** Makes the task an executable one, which a worker runs */
    job?: NoopJob | HttpJob | ImportJob
  }
}

export interface UpdateOperation {
  op: 'update'
  id: number
  /** The version to change; 412 if it is another by now */
  version?: number
  /** Absent: left as it is. null: cleared. */
  task: {
    /** Counted after trimming */
    title?: string
    description?: string | null
    /** Also taken, in any letter case: New, In Progress, Completed, Failed */
    status?: 'todo' | 'in_progress' | 'done' | 'failed'
    /** The same as status == done */
    completed?: boolean
    priority?: 'none' | 'low' | 'medium' | 'high' | 'urgent'
    due_at?: string | null
    /** In this order; of equal ones the first counts */
    labels?: string[]
    city?: string | null
    /** Moves the task in the manual order: one of `before`, `after` and `at` */
    position?: {
      /** Directly before this task */
      before?: number
      /** Directly after this task */
      after?: number
      /** Before or after all others */
      at?: 'first' | 'last'
    }
  }
}

export interface DeleteOperation {
  op: 'delete'
  id: number
  /** The version to change; 412 if it is another by now */
  version?: number
}

export interface BatchResults {
  results: Array<{
    op: 'create' | 'update' | 'delete'
    id: number
    task?: Task
  }>
}

export interface NewCalendarFeed {
  id: number
  name: string
  created_at: string
  last_used_at: string | null
  /** URL for a calendar program; shown only once */
  url: string
}

export interface CalendarFeed {
  id: number
  name: string
  created_at: string
  last_used_at: string | null
}

export interface Analytics {
  /** Tasks created in the period, by their current status */
  by_status: Record<string, number>
  /** Tasks created in the period, by owner; `(nobody)` counts tasks without an owner */
  by_user: Record<string, number>
  /** Days of the period on which a task was created or completed */
  by_day: Array<{
    date: string
    created: number
    completed: number
  }>
  /** Number of tasks created in the period */
  total: number
  /** Mean time from creation to completion of the tasks completed in the period, except those created as done */
  median_seconds_to_done: number | null
}

export interface TaskRun {
  /** Counts all runs of the task */
  number: number
  /** Begins anew when the job is retried by somebody */
  attempt: number
  /** released: given back unfinished by a worker that ended, which is no attempt; lost: its worker gave no more sign of life */
  state: 'running' | 'succeeded' | 'failed' | 'cancelled' | 'released' | 'lost'
  /** Host and process */
  worker: string
  started_at: string
  finished_at: string | null
  error: string | null
}

export interface QueueFigures {
  /** Queued, those included that wait for their next attempt */
  depth: number
  running: number
  failed: number
  /** Since when the job waits that is due longest */
  oldest: string | null
  /** Runs that ended within the last minute */
  per_minute: {
    succeeded: number
    failed: number
  }
}

export interface Attachment {
  id: number
  task_id: number
  /** File name that the client sent, without folders */
  name: string
  /** Media type detected from the content; the type that the client sent is ignored */
  content_type: string
  /** Size in bytes */
  size: number
  /** SHA-256 of the content, hexadecimal; also the ETag */
  sha256: string
  created_at: string
}

export interface Currency {
  id: string
  currency: string
  /** Roubles for one unit; as many digits as it has */
  rate: number
  /** For how many units the rate is quoted by the bank; the rate here is for one all the same */
  nominal: number
  name: string | null
  /** Of an official rate the beginning of its day */
  timestamp: string
  /** The Bank of Russia, a person, or another service */
  source: 'cbr' | 'manual' | 'remote'
}

export interface Rate {
  timestamp: string
  /** Roubles for one unit */
  rate: number
  /** The Bank of Russia, a person, or another service */
  source: 'cbr' | 'manual' | 'remote'
}

export interface RateSeries {
  currency: string
  step: 'day' | 'week' | 'month' | 'year'
  /** Ascending */
  dates: string[]
  /** The last of each step, at the same places */
  rates: number[]
}

export interface Conversion {
  from: string
  to: string
  amount: number
  /** Units of `to` for one of `from`, rounded to 12 decimals */
  rate: number
  /** Of the exact rates, rounded to 12 decimals */
  result: number
  /** Of which day each rate is that was used; RUB has none */
  dates: Record<string, string>
}

export interface ImportRun {
  run_id: number
  importer: string
  trigger: 'schedule' | 'manual'
  state: 'running' | 'succeeded' | 'failed'
  started_at: string
  finished_at: string | null
  created_count: number
  updated_count: number
  skipped_count: number
  error: string | null
}

export interface Importer {
  name: string
  source: string
  interval_seconds: number
  state: 'idle' | 'running'
  /** null if no run is scheduled, for example with `IMPORTS=off` */
  next_run_at: string | null
  last_run: ImportRun | null
}

export interface User {
  id: number
  username: string
  role: 'user' | 'admin'
  disabled: boolean
  created_at: string
}

export interface Webhook {
  id: number
  url: string
  /** null: every type */
  types: string[] | null
  description: string | null
  enabled: boolean
  /** Reason why Taskwire disabled the webhook */
  disabled_reason: string | null
  /** Time of the first failure since the last success */
  failing_since: string | null
  /** Until then messages are also signed with the previous secret */
  old_secret_until: string | null
  /** The webhook receives the events that this user may read; null: all events */
  user_id: number | null
  created_at: string
  updated_at: string | null
}

export interface WebhookWithSecret {
  id: number
  url: string
  /** null: every type */
  types: string[] | null
  description: string | null
  enabled: boolean
  /** Reason why Taskwire disabled the webhook */
  disabled_reason: string | null
  /** Time of the first failure since the last success */
  failing_since: string | null
  /** Until then messages are also signed with the previous secret */
  old_secret_until: string | null
  /** The webhook receives the events that this user may read; null: all events */
  user_id: number | null
  created_at: string
  updated_at: string | null
  /** Verifies the signatures. It is shown only in this response */
  secret: string
}

export interface WebhookDelivery {
  id: number
  webhook_id: number
  /** Sent as `webhook-id`, the same in every attempt */
  event_id: string
  type: string
  state: 'waiting' | 'delivered' | 'failed'
  attempts: number
  /** Status of the last attempt; null: no response */
  response_status: number | null
  /** Error of the last attempt */
  error: string | null
  created_at: string
  last_attempt_at: string | null
  /** null: no further attempt */
  next_attempt_at: string | null
  finished_at: string | null
}

export interface WebhookDeliveryWithEvent {
  id: number
  webhook_id: number
  /** Sent as `webhook-id`, the same in every attempt */
  event_id: string
  type: string
  state: 'waiting' | 'delivered' | 'failed'
  attempts: number
  /** Status of the last attempt; null: no response */
  response_status: number | null
  /** Error of the last attempt */
  error: string | null
  created_at: string
  last_attempt_at: string | null
  /** null: no further attempt */
  next_attempt_at: string | null
  finished_at: string | null
  /** The event that is sent; null if you may no longer read it */
  event: Record<string, unknown> | null
}

export interface Grant {
  /** Token for the Authorization header, after "Bearer " */
  access_token: string
  /** Token for /auth/refresh; it works once */
  refresh_token: string
  token_type: 'bearer'
  /** Lifetime of the access token, in seconds */
  expires_in: number
  user: User
}

export interface Session {
  id: string
  user_agent: string
  address: string
  created_at: string
  last_used_at: string
  expires_at: string
  /** Whether this request belongs to the session */
  current: boolean
}

export interface NewApiToken {
  id: number
  name: string
  /** read: GET requests; write: changes; admin: users, for admins only */
  scopes: Array<'read' | 'write' | 'admin'>
  created_at: string
  /** Time of the last use, to the minute */
  last_used_at: string | null
  expires_at: string | null
  /** The token; shown only once */
  token: string
}

export interface ApiToken {
  id: number
  name: string
  /** read: GET requests; write: changes; admin: users, for admins only */
  scopes: Array<'read' | 'write' | 'admin'>
  created_at: string
  /** Time of the last use, to the minute */
  last_used_at: string | null
  expires_at: string | null
}

export interface Ticket {
  ticket: string
  /** Lifetime of the ticket, in seconds */
  expires_in: number
}

export interface EventPage {
  events: TaskwireEvent[]
  /** To give as `after` for the next page */
  next: string
  /** Whether there is a next page already */
  more: boolean
}

export interface Routes {
  /** Check that the process runs */
  'GET /health': {
    answer: {
      status: 'healthy'
    }
  }
  /** Check that requests can be served */
  'GET /health/ready': {
    answer: {
      status: 'ready'
      checks: Record<string, {
        status: 'up' | 'down'
        /** The reason. Shown only if access needs no token, because it names internal services */
        error?: string
      }>
      /** Roles of this process */
      roles?: string[]
      /** Index of this process among those that share the port; null: there is only one */
      worker?: number | null
    }
  }
  /** Read metrics in the text format of Prometheus */
  'GET /metrics': {
    answer: string
  }
  /** List tasks */
  'GET /tasks': {
    query?: {
      skip?: number | undefined
      limit?: number | undefined
      /** Instead of `skip`: pages that stay right while tasks come and go. Empty for the first one; `Link` has the others. */
      cursor?: string | undefined
      /** Repeat it for more than one */
      status?: Array<'todo' | 'in_progress' | 'done' | 'failed'> | undefined
      completed?: boolean | undefined
      /** Repeat it for more than one */
      priority?: Array<'none' | 'low' | 'medium' | 'high' | 'urgent'> | undefined
      user_id?: number | undefined
      /** The id of a user or, where there is none of it, the name of one */
      user?: string | undefined
      /** In any letter case */
      city?: string | undefined
      /** Where they were imported from */
      source?: string | undefined
      /** Repeat it for tasks that have all of several */
      label?: string[] | undefined
      /** A day, or a time with its zone; a day as an end is included */
      created_from?: string | undefined
      /** A day, or a time with its zone; a day as an end is included */
      created_to?: string | undefined
      /** A day, or a time with its zone; a day as an end is included */
      due_from?: string | undefined
      /** A day, or a time with its zone; a day as an end is included */
      due_to?: string | undefined
      /** Due in the past and not done, or not */
      overdue?: boolean | undefined
      /** Words of title and description, Russian and English in any form; the last may be the beginning of one, if it is no number of one or two digits */
      q?: string | undefined
      /** Executable tasks, or those of people */
      has_job?: boolean | undefined
      /** Repeat it for more than one */
      job_state?: Array<'queued' | 'running' | 'succeeded' | 'failed'> | undefined
      /** Those in the trash instead, each with `deleted_at`; without `sort` the one that was deleted last first */
      trash?: boolean | undefined
      /** Columns separated by commas, `-` before one for descending: id, created_at, title, status, updated_at, priority, due_at, position. When absent: id; with `q` the best match first */
      sort?: string | undefined
    } | undefined
    answer: Task[]
  }
  /** Create a task */
  'POST /tasks': {
    body: {
      /** Counted after trimming */
      title: string
      description?: string | null | undefined
      /** Also taken, in any letter case: New, In Progress, Completed, Failed */
      status?: 'todo' | 'in_progress' | 'done' | 'failed' | undefined
      /** The same as status == done */
      completed?: boolean | undefined
      priority?: 'none' | 'low' | 'medium' | 'high' | 'urgent' | undefined
      due_at?: string | null | undefined
      /** In this order; of equal ones the first counts */
      labels?: string[] | undefined
      city?: string | null | undefined
      /** Makes the task an executable one, which a worker runs */
      job?: NoopJob | HttpJob | ImportJob | undefined
    }
    answer: Task
  }
  /** Read a task */
  'GET /tasks/{id}': {
    path: {
      id: number
    }
    answer: Task
  }
  /** Change some fields of a task */
  'PATCH /tasks/{id}': {
    path: {
      id: number
    }
    body: {
      /** Counted after trimming */
      title?: string | undefined
      description?: string | null | undefined
      /** Also taken, in any letter case: New, In Progress, Completed, Failed */
      status?: 'todo' | 'in_progress' | 'done' | 'failed' | undefined
      /** The same as status == done */
      completed?: boolean | undefined
      priority?: 'none' | 'low' | 'medium' | 'high' | 'urgent' | undefined
      due_at?: string | null | undefined
      /** In this order; of equal ones the first counts */
      labels?: string[] | undefined
      city?: string | null | undefined
      /** Moves the task in the manual order: one of `before`, `after` and `at` */
      position?: {
        /** Directly before this task */
        before?: number | undefined
        /** Directly after this task */
        after?: number | undefined
        /** Before or after all others */
        at?: 'first' | 'last' | undefined
      } | undefined
    }
    answer: Task
  }
  /** Replace a task */
  'PUT /tasks/{id}': {
    path: {
      id: number
    }
    body: {
      /** Counted after trimming */
      title: string
      description?: string | null | undefined
      /** Also taken, in any letter case: New, In Progress, Completed, Failed */
      status?: 'todo' | 'in_progress' | 'done' | 'failed' | undefined
      /** The same as status == done */
      completed?: boolean | undefined
      priority?: 'none' | 'low' | 'medium' | 'high' | 'urgent' | undefined
      due_at?: string | null | undefined
      /** In this order; of equal ones the first counts */
      labels?: string[] | undefined
      city?: string | null | undefined
    }
    answer: Task
  }
  /** Move a task to the trash */
  'DELETE /tasks/{id}': {
    path: {
      id: number
    }
    answer: undefined
  }
  /** Take a task out of the trash */
  'POST /tasks/{id}/restore': {
    path: {
      id: number
    }
    answer: Task
  }
  /** Export tasks as JSON lines or CSV */
  'GET /tasks/export': {
    query?: {
      /** jsonl, unless Accept asks for text/csv */
      format?: 'jsonl' | 'csv' | undefined
      /** Repeat it for more than one */
      status?: Array<'todo' | 'in_progress' | 'done' | 'failed'> | undefined
      completed?: boolean | undefined
      /** Repeat it for more than one */
      priority?: Array<'none' | 'low' | 'medium' | 'high' | 'urgent'> | undefined
      user_id?: number | undefined
      /** The id of a user or, where there is none of it, the name of one */
      user?: string | undefined
      /** In any letter case */
      city?: string | undefined
      /** Where they were imported from */
      source?: string | undefined
      /** Repeat it for tasks that have all of several */
      label?: string[] | undefined
      /** A day, or a time with its zone; a day as an end is included */
      created_from?: string | undefined
      /** A day, or a time with its zone; a day as an end is included */
      created_to?: string | undefined
      /** A day, or a time with its zone; a day as an end is included */
      due_from?: string | undefined
      /** A day, or a time with its zone; a day as an end is included */
      due_to?: string | undefined
      /** Due in the past and not done, or not */
      overdue?: boolean | undefined
      /** Words of title and description, Russian and English in any form; the last may be the beginning of one, if it is no number of one or two digits */
      q?: string | undefined
      /** Executable tasks, or those of people */
      has_job?: boolean | undefined
      /** Repeat it for more than one */
      job_state?: Array<'queued' | 'running' | 'succeeded' | 'failed'> | undefined
    } | undefined
    answer: Blob
  }
  /** Create, change and delete many tasks, all or nothing */
  'POST /tasks/batch': {
    body: {
      operations: Array<CreateOperation | UpdateOperation | DeleteOperation>
    }
    answer: BatchResults
  }
  /** Read your tasks as a calendar */
  'GET /tasks.ics': {
    query?: {
      /** Token of a calendar feed, instead of a bearer token */
      token?: string | undefined
    } | undefined
    answer: string
  }
  /** Create a calendar feed */
  'POST /calendar-feeds': {
    body: {
      /** A name that says what the feed is for */
      name: string
    }
    answer: NewCalendarFeed
  }
  /** List your calendar feeds */
  'GET /calendar-feeds': {
    answer: CalendarFeed[]
  }
  /** Delete a calendar feed */
  'DELETE /calendar-feeds/{id}': {
    path: {
      id: number
    }
    answer: undefined
  }
  /** Task statistics for a period */
  'GET /analytics': {
    query?: {
      /** First day of the period */
      start_date?: string | undefined
      /** Last day of the period */
      end_date?: string | undefined
      /** Time zone in which days begin and end, a name of the IANA database */
      tz?: string | undefined
    } | undefined
    answer: Analytics
  }
  /** Queue the job of a task again */
  'POST /tasks/{id}/retry': {
    path: {
      id: number
    }
    answer: Task
  }
  /** Cancel the job of a task */
  'POST /tasks/{id}/cancel': {
    path: {
      id: number
    }
    answer: Task
  }
  /** Every run of a task’s job, newest first */
  'GET /tasks/{id}/runs': {
    path: {
      id: number
    }
    query?: {
      limit?: number | undefined
    } | undefined
    answer: TaskRun[]
  }
  /** How much is waiting, at work and done */
  'GET /queue': {
    answer: QueueFigures
  }
  /** List the attachments of a task */
  'GET /tasks/{id}/attachments': {
    path: {
      id: number
    }
    answer: Attachment[]
  }
  /** Attach a file to a task */
  'POST /tasks/{id}/attachments': {
    path: {
      id: number
    }
    body: FormData
    answer: Attachment
  }
  /** Delete an attachment */
  'DELETE /tasks/{id}/attachments/{aid}': {
    path: {
      id: number
      aid: number
    }
    answer: undefined
  }
  /** Download an attachment */
  'GET /tasks/{id}/attachments/{aid}': {
    path: {
      id: number
      aid: number
    }
    answer: Blob
  }
  /** List currencies with their rates */
  'GET /currencies': {
    query?: {
      skip?: number | undefined
      limit?: number | undefined
    } | undefined
    answer: Currency[]
  }
  /** Create a currency by hand */
  'POST /currencies': {
    body: {
      /** ISO 4217, in any letter case */
      currency: string
      /** Roubles for one unit */
      rate: number
      /** For how many units the rate is quoted by the bank; the rate here is for one all the same */
      nominal?: number | undefined
      name?: string | null | undefined
    }
    answer: Currency
  }
  /** Read a currency */
  'GET /currencies/{key}': {
    path: {
      /** Its code, in any letter case, or its id */
      key: string
    }
    answer: Currency
  }
  /** Change a currency by hand */
  'PATCH /currencies/{key}': {
    path: {
      /** Its code, in any letter case, or its id */
      key: string
    }
    body: {
      /** Roubles for one unit */
      rate?: number | undefined
      /** For how many units the rate is quoted by the bank; the rate here is for one all the same */
      nominal?: number | undefined
      name?: string | null | undefined
    }
    answer: Currency
  }
  /** Delete a currency and its history */
  'DELETE /currencies/{key}': {
    path: {
      /** Its code, in any letter case, or its id */
      key: string
    }
    answer: undefined
  }
  /** Every rate of a period, the oldest first */
  'GET /currencies/{key}/history': {
    path: {
      /** Its code, in any letter case, or its id */
      key: string
    }
    query?: {
      /** A day, or a time with its zone; a day as `to` includes that day. Days are those of UTC. */
      from?: string | undefined
      /** A day, or a time with its zone; a day as `to` includes that day. Days are those of UTC. */
      to?: string | undefined
      skip?: number | undefined
      limit?: number | undefined
    } | undefined
    answer: Rate[]
  }
  /** Rates of a period for a chart */
  'GET /currencies/{key}/series': {
    path: {
      /** Its code, in any letter case, or its id */
      key: string
    }
    query?: {
      /** A day, or a time with its zone; a day as `to` includes that day. Days are those of UTC. */
      from?: string | undefined
      /** A day, or a time with its zone; a day as `to` includes that day. Days are those of UTC. */
      to?: string | undefined
      /** At most so many */
      points?: number | undefined
    } | undefined
    answer: RateSeries
  }
  /** Convert an amount by the rates to the rouble */
  'GET /currencies/convert': {
    query: {
      /** ISO 4217; RUB too */
      from: string
      /** ISO 4217; RUB too */
      to: string
      /** At most 15 digits before the point and 12 behind it */
      amount: string
    }
    answer: Conversion
  }
  /** Publish a rate over NATS, as another service would */
  'POST /test/nats': {
    query?: {
      /** ISO 4217, in any letter case */
      currency?: string | undefined
      /** Roubles for one unit */
      rate?: string | undefined
    } | undefined
    answer: {
      status: 'ok'
    }
  }
  /** List the importers with their last run */
  'GET /importers': {
    answer: Importer[]
  }
  /** List the runs of an importer, newest first */
  'GET /importers/{name}/runs': {
    path: {
      name: string
    }
    query?: {
      limit?: number | undefined
    } | undefined
    answer: ImportRun[]
  }
  /** Run an importer now */
  'POST /importers/{name}/run': {
    path: {
      name: string
    }
    answer: ImportRun
  }
  /** Run the importer "todos" now */
  'POST /task-generator/run': {
    answer: {
      message: string
      tasks_created: number
      tasks_updated: number
      tasks_skipped: number
      run_id: number
    }
  }
  /** Start the importer "currencies" */
  'POST /tasks/run': {
    answer: {
      status: 'started'
      run_id: number
    }
  }
  /** List users */
  'GET /users': {
    query?: {
      skip?: number | undefined
      limit?: number | undefined
    } | undefined
    answer: User[]
  }
  /** Change the role of a user, or disable or enable them */
  'PATCH /users/{id}': {
    path: {
      id: number
    }
    body: {
      role?: 'user' | 'admin' | undefined
      disabled?: boolean | undefined
    }
    answer: User
  }
  /** List webhooks */
  'GET /webhooks': {
    query?: {
      skip?: number | undefined
      limit?: number | undefined
    } | undefined
    answer: Webhook[]
  }
  /** Create a webhook */
  'POST /webhooks': {
    body: {
      /** An http or https URL without a user or password. The host must have a public address unless `WEBHOOK_ALLOW` lists it */
      url: string
      /** Only events of these types; null: every type, including types of later releases */
      types?: Array<'task_created' | 'task_updated' | 'task_deleted' | 'background_task_completed' | 'background_task_failed' | 'currency_created' | 'currency_updated' | 'currency_deleted' | 'add_data_from_remote_source'> | null | undefined
      description?: string | null | undefined
    }
    answer: WebhookWithSecret
  }
  /** Read a webhook */
  'GET /webhooks/{id}': {
    path: {
      id: number
    }
    answer: Webhook
  }
  /** Change, disable or enable a webhook */
  'PATCH /webhooks/{id}': {
    path: {
      id: number
    }
    body: {
      /** An http or https URL without a user or password. The host must have a public address unless `WEBHOOK_ALLOW` lists it */
      url?: string | undefined
      /** Only events of these types; null: every type, including types of later releases */
      types?: Array<'task_created' | 'task_updated' | 'task_deleted' | 'background_task_completed' | 'background_task_failed' | 'currency_created' | 'currency_updated' | 'currency_deleted' | 'add_data_from_remote_source'> | null | undefined
      description?: string | null | undefined
      /** true also resets `failing_since` */
      enabled?: boolean | undefined
    }
    answer: Webhook
  }
  /** Delete a webhook and its delivery log */
  'DELETE /webhooks/{id}': {
    path: {
      id: number
    }
    answer: undefined
  }
  /** Renew the secret of a webhook */
  'POST /webhooks/{id}/secret': {
    path: {
      id: number
    }
    answer: WebhookWithSecret
  }
  /** List the deliveries of a webhook, newest first */
  'GET /webhooks/{id}/deliveries': {
    path: {
      id: number
    }
    query?: {
      /** Only deliveries with a smaller id. `Link` contains it for the next page */
      before?: number | undefined
      limit?: number | undefined
      state?: 'waiting' | 'delivered' | 'failed' | undefined
    } | undefined
    answer: WebhookDelivery[]
  }
  /** Read a delivery with the event it sends */
  'GET /webhooks/{id}/deliveries/{delivery}': {
    path: {
      id: number
      delivery: number
    }
    answer: WebhookDeliveryWithEvent
  }
  /** Send a delivery again now, whatever its state */
  'POST /webhooks/{id}/deliveries/{delivery}/redeliver': {
    path: {
      id: number
      delivery: number
    }
    answer: WebhookDelivery
  }
  /** Send a test message of type `webhook_test` */
  'POST /webhooks/{id}/test': {
    path: {
      id: number
    }
    answer: WebhookDelivery
  }
  /** Register */
  'POST /auth/register': {
    body: {
      /** 3 to 64 letters, digits, dots, hyphens and underscores; unique without regard to case */
      username: string
      /** Not a common password, and not the user name */
      password: string
    }
    answer: Grant
  }
  /** Exchange a refresh token for new tokens */
  'POST /auth/refresh': {
    body: {
      refresh_token: string
    }
    answer: Grant
  }
  /** End the session of this access token */
  'POST /auth/logout': {
    answer: undefined
  }
  /** Read the user of this token */
  'GET /auth/me': {
    answer: User
  }
  /** Change the password */
  'POST /auth/password': {
    body: {
      current_password: string
      /** Not a common password, and not the user name */
      new_password: string
    }
    answer: Grant
  }
  /** List your sessions, most recently used first */
  'GET /auth/sessions': {
    answer: Session[]
  }
  /** End one of your sessions */
  'DELETE /auth/sessions/{id}': {
    path: {
      id: string
    }
    answer: undefined
  }
  /** Log in */
  'POST /auth/login': {
    body: {
      username: string
      password: string
      grant_type?: 'password' | undefined
      scope?: string | undefined
      client_id?: string | undefined
      client_secret?: string | undefined
    } | URLSearchParams
    answer: Grant
  }
  /** Create an API token for scripts and services */
  'POST /auth/tokens': {
    body: {
      name: string
      /** read: GET requests; write: changes; admin: users, for admins only */
      scopes: Array<'read' | 'write' | 'admin'>
      expires_in_days?: number | null | undefined
    }
    answer: NewApiToken
  }
  /** List your API tokens */
  'GET /auth/tokens': {
    answer: ApiToken[]
  }
  /** Delete one of your API tokens */
  'DELETE /auth/tokens/{id}': {
    path: {
      id: number
    }
    answer: undefined
  }
  /** Get a one-time ticket for a WebSocket */
  'POST /auth/ticket': {
    answer: Ticket
  }
  /** Create the first admin */
  'POST /auth/setup': {
    body: {
      token: string
      /** 3 to 64 letters, digits, dots, hyphens and underscores; unique without regard to case */
      username: string
      /** Not a common password, and not the user name */
      password: string
    } | URLSearchParams
    answer: User
  }
  /** Every event you may see, as Server-Sent Events or as JSON pages */
  'GET /events': {
    query?: {
      /** The id of the last event you have: what came after it is told first */
      after?: number | undefined
      /** Only events of these types, comma separated */
      types?: string | undefined
      /** Of a JSON page */
      limit?: number | undefined
    } | undefined
    answer: EventPage
  }
}

/** Those that take an Idempotency-Key. */
export const keyedRoutes: ReadonlySet<string> = new Set([
  'POST /tasks',
  'PATCH /tasks/{id}',
  'PUT /tasks/{id}',
  'DELETE /tasks/{id}',
  'POST /tasks/{id}/restore',
  'POST /tasks/batch',
  'POST /tasks/{id}/retry',
  'POST /tasks/{id}/cancel',
  'POST /tasks/{id}/attachments',
  'DELETE /tasks/{id}/attachments/{aid}',
  'POST /currencies',
  'PATCH /currencies/{key}',
  'DELETE /currencies/{key}',
  'POST /webhooks',
  'PATCH /webhooks/{id}',
  'DELETE /webhooks/{id}',
  'POST /webhooks/{id}/secret',
  'POST /webhooks/{id}/deliveries/{delivery}/redeliver',
  'POST /webhooks/{id}/test',
])

/** Those that heed no token. */
export const publicRoutes: ReadonlySet<string> = new Set([
  'GET /health',
  'GET /health/ready',
  'POST /auth/register',
  'POST /auth/refresh',
  'POST /auth/login',
  'POST /auth/setup',
])

export interface TaskCreatedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'task_created'
  at: string
  data: {
    task: Task
  }
}

export interface TaskUpdatedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'task_updated'
  at: string
  data: {
    task: Task
  }
}

export interface TaskDeletedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'task_deleted'
  at: string
  data: {
    task_id: number
  }
}

export interface BackgroundTaskCompletedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'background_task_completed'
  at: string
  data: {
    created_count: number
    updated_count: number
    skipped_count: number
    importer: string
    run_id: number
  }
}

export interface BackgroundTaskFailedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'background_task_failed'
  at: string
  data: {
    importer: string
    run_id: number
    error: string
  }
}

export interface CurrencyCreatedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'currency_created'
  at: string
  data: {
    currency: Currency
  }
}

export interface CurrencyUpdatedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'currency_updated'
  at: string
  data: {
    currency: Currency
  }
}

export interface CurrencyDeletedEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'currency_deleted'
  at: string
  data: {
    currency: Currency
  }
}

export interface AddDataFromRemoteSourceEvent {
  /** Decimal; grows with each event */
  id: string
  type: 'add_data_from_remote_source'
  at: string
  data: {
    currency: Currency
  }
}

export type TaskwireEvent = TaskCreatedEvent | TaskUpdatedEvent | TaskDeletedEvent | BackgroundTaskCompletedEvent | BackgroundTaskFailedEvent | CurrencyCreatedEvent | CurrencyUpdatedEvent | CurrencyDeletedEvent | AddDataFromRemoteSourceEvent
