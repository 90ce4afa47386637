export { iterateTasks } from './iterate-tasks.ts'
export { type TaskPresenter, taskPresenter } from './task.ts'
export { createTaskBatches } from './task-batch.ts'
export { taskBatchRoutes } from './task-batch-routes.ts'
export { COLUMNS as TASK_COLUMNS, rowFromSnapshot, type TaskRow } from './task-columns.ts'
export type { TaskEffects } from './task-effects.ts'
export { taskEventRenderers, taskEventSchemas } from './task-events.ts'
export { taskExportRoutes } from './task-export-routes.ts'
export {
  type FileFormat,
  fieldOf,
  fileFormats,
  type ImportedTask,
  ImportedTaskSchema,
  isImported,
} from './task-file.ts'
export { IMPORTED_TASKS } from './task-import.ts'
export type { NewJob } from './task-job.ts'
export { taskRoutes } from './task-routes.ts'
export {
  type CreateTask,
  IdParams,
  TaskSchema,
  taskExample,
  taskMessageSchema,
  UNTITLED,
} from './task-schemas.ts'
export {
  createTaskService,
  type NewTask,
  newTask,
  type TaskService,
  type TaskServiceDeps,
} from './task-service.ts'
export { parseStatus, type Status, statuses, statusLabel } from './task-status.ts'
export { findTask, lockTask, purgeTrash } from './task-store.ts'
export { createTaskWeather, type TaskWeather } from './weather/task-weather.ts'
export {
  type DueCity,
  dueWeather,
  fillWeather,
  forgetWeather,
  postponeWeather,
} from './weather/task-weather-store.ts'
