import type { Config } from '../../../platform/config/config.ts'
import type { Database } from '../../../platform/database/database.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import { type RabbitMqIntake, startRabbitMqIntake } from '../../../platform/messaging/rabbitmq/index.ts'
import type { CreateTask, TaskServiceDeps } from '../index.ts'
import type { Executables } from '../jobs/executable-tasks.ts'
import { readMessage } from './message.ts'
import { createTasksFromMessages } from './task-messages.ts'

/** Starts the intake of messages as tasks, if RabbitMQ is configured. */
export async function startTaskIntake(deps: {
  config: Pick<Config, 'RABBITMQ_URL' | 'RABBITMQ_QUEUE' | 'RABBITMQ_DURABLE_QUEUE'>
  db: Database
  tasks: TaskServiceDeps & { executables: Executables }
  /** Checks a body by the schema of messages. */
  check: (body: unknown) => CreateTask
  log: Logger
}): Promise<RabbitMqIntake | undefined> {
  const { config, db, tasks, check, log } = deps
  if (!config.RABBITMQ_URL) return undefined
  // The consumer logs one line for each batch, with the ids of its tasks; a line for each task would repeat it.
  const { log: _, ...withoutLog } = tasks
  return await startRabbitMqIntake({
    url: config.RABBITMQ_URL,
    queue: config.RABBITMQ_QUEUE,
    durableQueue: config.RABBITMQ_DURABLE_QUEUE,
    log,
    read: (message) => readMessage(message, check, tasks.executables.check),
    store: (messages) => createTasksFromMessages(db, withoutLog, messages),
  })
}
