export {
  parseStatus,
  rowFromSnapshot,
  type StatusLabels,
  statuses,
  type TaskPresenter,
  taskPresenter,
} from './task.ts'
export { taskEventRenderers } from './task-events.ts'
export { taskRoutes } from './task-routes.ts'
export { createTaskService } from './task-service.ts'
export { purgeTrash } from './task-store.ts'
