export { type GroupHealth, GroupSlots } from './group-slots.ts'
export type { ClaimedJob, JobClaim, JobQueue } from './job-queue.ts'
export { type JobQueues, openJobQueues } from './job-queues.ts'
export { type Purge, startPurgeSchedule } from './purge-schedule.ts'
