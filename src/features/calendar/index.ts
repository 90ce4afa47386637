export { calendarRoutes } from './calendar-routes.ts'
export { feedRoutes } from './feed-routes.ts'
export { createFeedService } from './feed-service.ts'
