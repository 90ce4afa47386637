export { type GroupHealth, GroupSlots } from './group-slots.ts'
export type { JobClaim, JobQueue } from './job-queue.ts'
export { type JobQueues, openJobQueues } from './job-queues.ts'
export { startPurgeSchedule } from './purge-schedule.ts'
