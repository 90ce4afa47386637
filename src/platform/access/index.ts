export { scopeCondition, scopeFilter, storedScope } from './scope-sql.ts'
