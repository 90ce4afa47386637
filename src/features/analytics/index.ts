export { analyticsFor } from './analytics.ts'
export { analyticsRoutes } from './analytics-routes.ts'
export { analyticsFormats } from './analytics-schemas.ts'
