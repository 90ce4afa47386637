export { calendarFeedRoutes } from './calendar-feed-routes.ts'
export { createCalendarFeedService } from './calendar-feed-service.ts'
export { calendarRoutes } from './calendar-routes.ts'
