import type { Config } from '../../../platform/config/config.ts'
import type { Database } from '../../../platform/database/database.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import { type RabbitMqIntake, startRabbitMqIntake } from '../../../platform/messaging/rabbitmq/index.ts'
import type { CreateTask } from '../index.ts'
import type { Executables } from '../jobs/executable-tasks.ts'
import { readMessage } from './message.ts'
import { createTasksFromMessages } from './task-messages.ts'

/** The intake of messages as tasks, if there is a RabbitMQ. */
export async function startTaskIntake(deps: {
  config: Pick<Config, 'RABBITMQ_URL' | 'RABBITMQ_QUEUE' | 'RABBITMQ_DURABLE_QUEUE'>
  db: Database
  executables: Executables
  /** Checks a body by the schema of messages. */
  check: (body: unknown) => CreateTask
  log: Logger
  /** Is called after each commit by which tasks have come. */
  onTaken: () => void
  /** Is called for each task of such a commit. */
  onTask: (task: { city: string | null; weather: null }) => void
}): Promise<RabbitMqIntake | undefined> {
  const { config, db, executables, check, log, onTaken, onTask } = deps
  if (!config.RABBITMQ_URL) return undefined
  return await startRabbitMqIntake({
    url: config.RABBITMQ_URL,
    queue: config.RABBITMQ_QUEUE,
    durableQueue: config.RABBITMQ_DURABLE_QUEUE,
    log,
    read: (message) => readMessage(message, check, executables.check),
    store: async (messages) => {
      const taken = await createTasksFromMessages(db, executables, messages)
      for (const { task } of messages) onTask({ city: task.city, weather: null })
      return taken
    },
    onStored: onTaken,
  })
}
